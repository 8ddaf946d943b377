//! Which controller is active: a belief, corrected by everything that is heard.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_config::Voter;
use ottla_protocol::ids::BrokerId;
use ottla_rpc::controller::controller_client::ControllerClient;
use ottla_rpc::controller::{ProbeReply, ProbeRequest};
use ottla_rpc::{ChannelOptions, InvalidAddress, status};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Status;
use tonic::transport::Channel;

/// A client of one controller.
pub(super) type Client = ControllerClient<Channel>;

/// Between two rounds of asking every controller while none leads.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// A controller that does not say who it is in this time is passed over in this round.
const PROBE_TIMEOUT: Duration = Duration::from_millis(300);

/// The quorum's voters, and which of them is believed to lead.
#[derive(Debug)]
pub(super) struct Leader {
    voters: BTreeMap<BrokerId, Client>,
    belief: watch::Sender<Belief>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Belief {
    /// `None`: unknown, or the last one known was lost.
    leader: Option<BrokerId>,
    /// The highest raft term heard of.
    term: u64,
}

impl Leader {
    /// Channels connect when they are first used, on the runtime this is called from.
    pub(super) fn new(voters: &[Voter]) -> Result<Self, InvalidAddress> {
        let options = ChannelOptions::default();
        let voters = voters
            .iter()
            .map(|voter| {
                let channel = ottla_rpc::channel(&voter.host, voter.port, &options)?;
                Ok((voter.id, ottla_rpc::controller_client(channel)))
            })
            .collect::<Result<_, InvalidAddress>>()?;
        Ok(Self { voters, belief: watch::Sender::new(Belief { leader: None, term: 0 }) })
    }

    /// Every voter, by id.
    pub(super) fn voters(&self) -> impl Iterator<Item = (BrokerId, Client)> + '_ {
        self.voters.iter().map(|(id, client)| (*id, client.clone()))
    }

    /// The id of the active controller, as far as is known.
    pub(super) fn id(&self) -> Option<BrokerId> {
        self.belief.borrow().leader
    }

    /// Completes when the belief is another than `id`.
    pub(super) async fn changed_from(&self, id: BrokerId) {
        let mut belief = self.belief.subscribe();
        let other = |belief: &Belief| belief.leader.is_some_and(|leader| leader != id);
        // The sender lives in `self`: waiting cannot fail.
        let _ = belief.wait_for(other).await;
    }

    /// A controller says, by the feed, who leads in which term. Older terms are old news.
    pub(super) fn heard(&self, leader: BrokerId, term: u64) {
        self.belief.send_if_modified(|belief| {
            let leader = self.voters.contains_key(&leader).then_some(leader);
            let news = Belief { leader, term };
            let take = term > belief.term || (term == belief.term && leader.is_some());
            if take && news != *belief {
                *belief = news;
                return true;
            }
            false
        });
    }

    /// Somebody said who leads, without a term: good for the next attempt.
    pub(super) fn hinted(&self, leader: BrokerId) {
        if self.voters.contains_key(&leader) {
            self.belief.send_if_modified(|belief| {
                let news = belief.leader != Some(leader);
                belief.leader = Some(leader);
                news
            });
        }
    }

    /// A call to the leader failed without its saying who leads now.
    pub(super) fn lost(&self, id: BrokerId) {
        self.belief.send_if_modified(|belief| {
            let lost = belief.leader == Some(id);
            if lost {
                belief.leader = None;
            }
            lost
        });
    }

    /// Draws the conclusion from a call that `id` failed. True if it said that it is not the leader:
    /// then the call has certainly had no effect.
    pub(super) fn judge(&self, id: BrokerId, status: &Status) -> bool {
        let refused = status.code() == tonic::Code::FailedPrecondition;
        self.lost(id);
        if refused
            && let Some(leader) = status::leader_hint(status)
            && leader != id
        {
            self.hinted(leader);
        }
        refused
    }

    /// The active controller; asks all voters, again and again, while it is not known.
    pub(super) async fn find(&self) -> (BrokerId, Client) {
        loop {
            let known = self.id();
            if let Some(id) = known
                && let Some(client) = self.voters.get(&id)
            {
                return (id, client.clone());
            }
            if let Some(reply) = self.ask_all().await {
                self.hinted(reply.leader_id);
                continue;
            }
            let mut belief = self.belief.subscribe();
            tokio::select! {
                _ = belief.wait_for(|belief| belief.leader.is_some()) => {}
                () = sleep(ASK_AGAIN) => {}
            }
        }
    }

    /// Asks every voter who leads. A voter that says "I do" is believed at once.
    async fn ask_all(&self) -> Option<ProbeReply> {
        let mut replies: FuturesUnordered<_> =
            self.voters.values().map(|client| probe(client.clone())).collect();
        let mut said_by_others = None;
        while let Some(reply) = replies.next().await {
            match reply {
                Some(reply) if reply.leader_id == reply.node_id => return Some(reply),
                Some(reply) if self.voters.contains_key(&reply.leader_id) => {
                    said_by_others = Some(reply);
                }
                _ => {}
            }
        }
        said_by_others
    }
}

/// Asks one controller who it is and who leads; `None` if it does not answer.
pub(super) async fn probe(mut client: Client) -> Option<ProbeReply> {
    let request = ProbeRequest { cluster_id: String::new(), node_id: -1 };
    match timeout(PROBE_TIMEOUT, client.probe(request)).await {
        Ok(Ok(reply)) => Some(reply.into_inner()),
        Ok(Err(_)) | Err(_) => None,
    }
}
