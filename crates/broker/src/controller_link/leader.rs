//! Which controller is active: a belief, corrected by everything that is heard.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_config::{HostPort, Voter};
use ottla_protocol::ids::BrokerId;
use ottla_rpc::controller::controller_client::ControllerClient;
use ottla_rpc::controller::{ProbeReply, ProbeRequest};
use ottla_rpc::quorum::Node;
use ottla_rpc::{ChannelOptions, InvalidAddress, status};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A client of one controller.
pub(super) type Client = ControllerClient<Channel>;

/// Between two rounds of asking every controller while none leads.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// A controller that does not say who it is in this time is passed over in this round.
const PROBE_TIMEOUT: Duration = Duration::from_millis(300);
/// No quorum has more voters.
const MAX_VOTERS: usize = 64;

/// The controllers, and which of them is believed to lead.
#[derive(Debug)]
pub(super) struct Leader {
    known: Mutex<Known>,
    belief: watch::Sender<Belief>,
}

#[derive(Debug)]
struct Known {
    /// Those of the node's settings, then those that the feed tells of.
    controllers: Vec<(HostPort, Client)>,
    configured: usize,
    /// Where each stands in `controllers`: known from the start by `controller.quorum.voters`, learned by
    /// asking with `controller.quorum.bootstrap.servers`, and told by the feed.
    positions: BTreeMap<BrokerId, usize>,
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
    /// `voters` are the first of `controllers`, as far as ids are known.
    pub(super) fn new(voters: &[Voter], controllers: &[HostPort]) -> Result<Self, InvalidAddress> {
        let positions = voters.iter().enumerate().map(|(at, voter)| (voter.id, at)).collect();
        let controllers: Vec<_> = controllers.iter().map(client).collect::<Result<_, _>>()?;
        let configured = controllers.len();
        Ok(Self {
            known: Mutex::new(Known { controllers, configured, positions }),
            belief: watch::Sender::new(Belief { leader: None, term: 0 }),
        })
    }

    /// Every controller.
    pub(super) fn controllers(&self) -> Vec<Client> {
        self.known.lock().controllers.iter().map(|(_, client)| client.clone()).collect()
    }

    /// A controller says who votes, and where they are. Those of the settings are kept beside them.
    pub(super) fn learn(&self, voters: &[Node]) {
        let mut known = self.known.lock();
        let old = known.controllers.clone();
        let configured = known.configured;
        known.controllers.truncate(configured);
        for voter in voters.iter().take(MAX_VOTERS) {
            let Ok(port) = u16::try_from(voter.port) else { continue };
            let address = HostPort { host: voter.host.clone(), port };
            let at = known.controllers.iter().position(|(other, _)| *other == address);
            let at = at.unwrap_or(known.controllers.len());
            if at == known.controllers.len() {
                let had = old.iter().find(|(other, _)| *other == address).cloned();
                match had.map_or_else(|| client(&address), Ok) {
                    Ok(controller) => known.controllers.push(controller),
                    Err(error) => {
                        tracing::warn!(controller = voter.node_id, "{error}");
                        continue;
                    }
                }
            }
            known.positions.insert(voter.node_id, at);
        }
        let count = known.controllers.len();
        known.positions.retain(|_, at| *at < count);
    }

    /// Where in [`Leader::controllers`] a controller stands, if its id is known.
    pub(super) fn position(&self, id: BrokerId) -> Option<usize> {
        self.known.lock().positions.get(&id).copied()
    }

    fn client(&self, id: BrokerId) -> Option<Client> {
        let known = self.known.lock();
        let at = *known.positions.get(&id)?;
        known.controllers.get(at).map(|(_, client)| client.clone())
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

    /// A controller says, by the feed, who leads in which term; -1: nobody. Older terms are old news.
    pub(super) fn heard(&self, leader: BrokerId, term: u64) {
        self.belief.send_if_modified(|belief| {
            let news = Belief { leader: (leader >= 0).then_some(leader), term };
            let newer = term > belief.term || (term == belief.term && news.leader.is_some());
            newer && std::mem::replace(belief, news) != news
        });
    }

    /// Somebody said who leads, without a term: good for the next attempt.
    pub(super) fn hinted(&self, leader: BrokerId) {
        self.belief.send_if_modified(|belief| belief.leader.replace(leader) != Some(leader));
    }

    /// A call to the leader failed without its saying who leads now.
    pub(super) fn lost(&self, id: BrokerId) {
        self.belief.send_if_modified(|belief| {
            let lost = belief.leader == Some(id);
            belief.leader.take_if(|_| lost);
            lost
        });
    }

    /// Draws the conclusion from a call that `id` failed. True if it said that it is not active: then the
    /// call has certainly had no effect.
    pub(super) fn judge(&self, id: BrokerId, status: &Status) -> bool {
        let not_active = status.code() == Code::FailedPrecondition;
        self.lost(id);
        if not_active && let Some(leader) = status::leader_hint(status).filter(|hint| *hint != id) {
            self.hinted(leader);
        }
        not_active
    }

    /// The active controller; asks all of them, again and again, while it is not known.
    pub(super) async fn find(&self) -> (BrokerId, Client) {
        loop {
            if let Some(id) = self.id()
                && let Some(client) = self.client(id)
            {
                return (id, client);
            }
            if let Some(leader) = self.ask_all().await {
                self.hinted(leader);
                continue;
            }
            let mut belief = self.belief.subscribe();
            tokio::select! {
                _ = belief.wait_for(|belief| {
                    belief.leader.is_some_and(|leader| self.position(leader).is_some())
                }) => {}
                () = sleep(ASK_AGAIN) => {}
            }
        }
    }

    /// Asks every controller who leads. One that says "I do" is believed at once.
    async fn ask_all(&self) -> Option<BrokerId> {
        let controllers = self.known.lock().controllers.clone();
        let mut replies: FuturesUnordered<_> = controllers
            .into_iter()
            .map(|(address, client)| async move { (address, probe(client).await) })
            .collect();
        let mut said_by_others = None;
        while let Some((address, reply)) = replies.next().await {
            let Some(reply) = reply else { continue };
            self.known.lock().answered(&address, reply.node_id);
            if reply.leader_id == reply.node_id {
                return Some(reply.leader_id);
            }
            said_by_others = said_by_others.max(Some(reply.leader_id));
        }
        said_by_others.filter(|leader| self.position(*leader).is_some())
    }
}

impl Known {
    fn answered(&mut self, at: &HostPort, id: BrokerId) {
        if let Some(at) = self.controllers.iter().position(|(address, _)| address == at) {
            self.positions.insert(id, at);
        }
    }
}

fn client(at: &HostPort) -> Result<(HostPort, Client), InvalidAddress> {
    let channel = ottla_rpc::channel(&at.host, at.port, &ChannelOptions::default())?;
    Ok((at.clone(), ottla_rpc::controller_client(channel)))
}

/// Asks one controller who it is and who leads; `None` if it does not answer.
async fn probe(mut client: Client) -> Option<ProbeReply> {
    let request = ProbeRequest { cluster_id: String::new(), node_id: -1 };
    match timeout(PROBE_TIMEOUT, client.probe(request)).await {
        Ok(Ok(reply)) => Some(reply.into_inner()),
        Ok(Err(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
