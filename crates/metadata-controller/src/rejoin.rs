//! How a voter comes back that has lost its data, and with it its votes and its part of the log.
//!
//! It neither votes nor campaigns until all other voters know the same members, follow one leader, and it
//! has all that they have. Should the voters without data be a majority, they could outvote what is left:
//! they stop, and say so.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use ottla_protocol::ids::BrokerId;

use crate::ControllerError;
use crate::contacts::{Answer, Found};
use crate::node::Node;
use crate::quorum::{Gate, Members, PeerState};

/// One answer of another voter.
const ASK_DEADLINE: Duration = Duration::from_millis(250);
/// Answers of one round are not from one moment: only what so many rounds in a row say is believed.
const SURE_ROUNDS: u32 = 20;

/// A voter that has lost its data.
pub(crate) struct Lost {
    /// It was on its way back already when it was started.
    pub(crate) half_way: bool,
    announced: bool,
    empty_majority_rounds: u32,
}

/// What one round has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    /// It is a full voter again.
    Done,
    NotYet,
}

impl Lost {
    pub(crate) fn begin(node: &Node) -> io::Result<Self> {
        let half_way = node.quorum.store().is_rejoining()?;
        Ok(Self { half_way, announced: false, empty_majority_rounds: 0 })
    }

    /// One round. `holder` has data and says that this node is a voter.
    pub(crate) async fn round(
        &mut self,
        node: &Node,
        holder: &Answer,
        found: &[Found],
    ) -> Result<Return, ControllerError> {
        self.check_majority(node, holder, found)?;
        if !self.announced {
            self.announced = true;
            tracing::warn!(
                "this controller has no data, but controller {} has: it does not vote until it has caught \
                 up",
                holder.id
            );
        }
        let store_error = |error: io::Error| node.store_error(error.to_string());
        rejoin(node, &holder.members).await.map_err(store_error)
    }

    fn check_majority(
        &mut self,
        node: &Node,
        holder: &Answer,
        found: &[Found],
    ) -> Result<(), ControllerError> {
        let others = holder.members.voters_but(node.options.node_id);
        let answer_of = |id: BrokerId| {
            found.iter().filter_map(|found| found.reply.as_ref()).find(|answer| answer.id == id)
        };
        let others: Option<Vec<&Answer>> = others.map(|voter| answer_of(voter.id)).collect();
        let Some(others) = others else {
            self.empty_majority_rounds = 0;
            return Ok(());
        };
        let voters = others.len() + 1;
        let empty = voters - others.iter().filter(|answer| answer.has_data).count();
        let is_majority = empty > voters / 2;
        self.empty_majority_rounds = if is_majority { self.empty_majority_rounds + 1 } else { 0 };
        if self.empty_majority_rounds >= SURE_ROUNDS {
            return Err(ControllerError::EmptyMajority { empty, voters, holder: holder.id });
        }
        Ok(())
    }
}

async fn rejoin(node: &Node, members: &Members) -> io::Result<Return> {
    let others = node.quorum.ask_voters(members, ASK_DEADLINE).await;
    let Some(target) = agreed(members, &others) else { return Ok(Return::NotYet) };
    if node.quorum.gate() == Gate::Closed {
        // Before the first entry: should it restart half-way, it must not take itself for whole.
        node.quorum.store().set_rejoining(true).await?;
        node.quorum.open_gate(Gate::Follow);
        tracing::info!(target = ?target.last_log_id, "the others follow one leader: catching up with it");
    }
    if node.quorum.last_log_id().await < target.last_log_id {
        return Ok(Return::NotYet);
    }
    node.quorum.store().set_rejoining(false).await?;
    tracing::info!("caught up: voting again");
    node.quorum.open_gate(Gate::Open);
    Ok(Return::Done)
}

/// The furthest of the other voters, if all of them answered, know these members as the latest, and have
/// accepted the same leader. Then nobody can come to lead by a vote that this node gave and has forgotten;
/// nor can there be later members: a majority of these would have heard of them.
fn agreed(members: &Members, others: &BTreeMap<BrokerId, Option<PeerState>>) -> Option<PeerState> {
    let states: Vec<&PeerState> = others.values().map(Option::as_ref).collect::<Option<_>>()?;
    let first = states.first()?;
    let same = states
        .iter()
        .all(|state| state.has_accepted_leader_of(first) && state.members_at == members.log_id);
    let furthest = states.iter().max_by_key(|state| state.last_log_id)?;
    same.then(|| (*furthest).clone())
}
