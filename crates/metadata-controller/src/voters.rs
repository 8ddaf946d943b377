//! The active controller's say over who belongs to the quorum (KIP-853): observers that show themselves,
//! voters that are added and removed, one change at a time.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use ottla_config::HostPort;
use ottla_metadata::{Batch, Refusal, codec, feature};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use ottla_rpc::controller::ProbeRequest;
use ottla_rpc::{ChannelOptions, connect, controller_client};

use crate::HANDOVER;
use crate::active::Failure;
use crate::node::{Active, Node};
use crate::quorum::{ChangeError, Member, Members, WriteError};

/// A member that has answered within this time is there.
const ALIVE: Duration = Duration::from_secs(2);
/// An observer that has been silent for so long is forgotten, as Kafka does.
const OBSERVER_SESSION: Duration = Duration::from_secs(300);
/// Between two looks for such observers.
const OBSERVER_LOOK: Duration = Duration::from_secs(10);
/// Between two looks whether something has come about.
const LOOK: Duration = Duration::from_millis(20);
/// A change waits so long for the one before it.
const CHANGE_PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// A controller has said who and where it is. One that is no member becomes an observer. True if it is
    /// a voter.
    pub(crate) async fn introduced(&self, active: &Active, who: Member) -> Result<bool, Failure> {
        let _one_at_a_time = active.changes.lock().await;
        let members = self.quorum.members();
        let known = members.get(who.id);
        if let Some(known) = known
            && known.directory_id != who.directory_id
            && self.locate(known) != who.address
            && self.is_alive(who.id)
        {
            let message = format!(
                "node.id={} is in use by the controller at {}: give this one another node.id",
                who.id,
                self.locate(known)
            );
            return Err(Refusal::new(ErrorCode::DuplicateBrokerRegistration, message).into());
        }
        match known {
            Some(known) if known.voter => {
                let told = Member { voter: true, ..who };
                if self.is_reconfigurable() && *known != told {
                    self.quorum.set_member(&members, &told).await.map_err(unchanged)?;
                }
                Ok(true)
            }
            Some(known) if *known == who => {
                // Only a leader that can still commit knows who is no voter.
                let nothing = Bytes::from(codec::encode_batch(&Batch::default()));
                self.quorum.write(self.leadership().term, nothing).await?;
                Ok(false)
            }
            _ => {
                tracing::info!(controller = who.id, at = %who.address, "a new observer");
                self.quorum.set_member(&members, &who).await.map_err(unchanged)?;
                Ok(false)
            }
        }
    }

    /// Makes an observer, or a controller that is one soon, a voter: once it has the whole log.
    pub(crate) async fn add_voter(
        &self,
        active: &Active,
        who: Member,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.check_reconfigurable("adding")?;
        let members = self.quorum.members();
        if members.is_voter(who.id) {
            let message = format!(
                "The voter id for {} is already part of the set of voters {}.",
                who.key(),
                keys(&members)
            );
            return Err(Refusal::new(ErrorCode::DuplicateVoter, message).into());
        }
        if let Err(reason) = self.is_ready(&who, deadline).await {
            let key = who.key();
            let message = format!("New voter {key} is not ready to receive requests: {reason}");
            return Err(Refusal::new(ErrorCode::RequestTimedOut, message).into());
        }
        // It introduces itself, and knows from the answer that it has no vote to remember.
        if timeout_at(deadline, self.caught_up(&who)).await.is_err() {
            let message =
                format!("Aborted add voter operation for {} since it is lagging behind", who.key());
            return Err(Refusal::new(ErrorCode::RequestTimedOut, message).into());
        }
        let Ok(_one_at_a_time) = timeout_at(deadline, active.changes.lock()).await else {
            return Err(previous_change());
        };
        let members = self.quorum.members();
        if members.get(who.id).is_some_and(|known| !known.voter && *known != who) {
            self.quorum.set_member(&members, &who).await.map_err(unchanged)?;
        }
        tracing::info!(controller = who.id, "adding a voter");
        let id = who.id;
        self.replace(id, Some(Member { voter: true, ..who })).await
    }

    /// Takes a voter's vote away. One that is alive stays as an observer. The active controller itself
    /// first hands its role over: the error then is that it does not lead any more.
    pub(crate) async fn remove_voter(
        &self,
        active: &Active,
        id: BrokerId,
        directory_id: KafkaUuid,
    ) -> Result<(), Failure> {
        let patience = Instant::now() + CHANGE_PATIENCE;
        let Ok(_one_at_a_time) = timeout_at(patience, active.changes.lock()).await else {
            return Err(previous_change());
        };
        self.check_reconfigurable("removing")?;
        let members = self.quorum.members();
        let remaining = members.voters_but(id).count();
        let named = members
            .get(id)
            .filter(|voter| voter.voter && voter.directory_id == directory_id && remaining > 0);
        let Some(named) = named else {
            let message = format!(
                "Cannot remove voter ReplicaKey(id={id}, directoryId={directory_id}) from the set of \
                 voters {}",
                keys(&members)
            );
            return Err(Refusal::new(ErrorCode::VoterNotFound, message).into());
        };
        // Asked now: what was heard a second ago says nothing of a process that has just died.
        let answers = self.quorum.ask_voters(&members, ALIVE).await;
        let answers_now = |id: BrokerId| {
            id == self.options.node_id || answers.get(&id).is_some_and(Option::is_some)
        };
        let alive = members.voters_but(id).filter(|voter| answers_now(voter.id)).count();
        if alive <= remaining / 2 {
            let message = format!(
                "Cannot remove voter {}: of the other {remaining} only {alive} can be reached, and \
                 they could not go on without it",
                named.key()
            );
            return Err(Refusal::new(ErrorCode::InvalidRequest, message).into());
        }
        if id == self.options.node_id {
            self.quorum.hand_over(HANDOVER).await;
            return Err(WriteError::NotLeader.into());
        }
        let stays = answers_now(id);
        tracing::info!(controller = id, stays, "removing a voter");
        self.replace(id, stays.then(|| Member { voter: false, ..named.clone() })).await
    }

    /// Puts `by` in the place of a member, as soon as an earlier change is committed.
    async fn replace(&self, id: BrokerId, by: Option<Member>) -> Result<(), Failure> {
        let patience = Instant::now() + CHANGE_PATIENCE;
        loop {
            let members = self.quorum.members();
            let others = members.all.iter().filter(|member| member.id != id).cloned();
            let next: Vec<Member> = others.chain(by.clone()).collect();
            match self.quorum.set_voters(&members, &next).await {
                Err(ChangeError::Busy) if Instant::now() < patience => {
                    tokio::time::sleep(LOOK).await;
                }
                changed => return changed.map_err(unchanged),
            }
        }
    }

    /// Forgets observers that have gone, as long as this controller is active.
    pub(crate) async fn forget_observers(&self, active: &Active) {
        let since = Instant::now();
        loop {
            tokio::time::sleep(OBSERVER_LOOK).await;
            if since.elapsed() < OBSERVER_SESSION {
                continue;
            }
            let silent = self.quorum.replicas().into_iter().find(|replica| {
                let silence = replica.since_contact.unwrap_or(since.elapsed());
                !replica.member.voter && silence >= OBSERVER_SESSION
            });
            let Some(silent) = silent else { continue };
            let id = silent.member.id;
            let _one_at_a_time = active.changes.lock().await;
            let members = self.quorum.members();
            if !members.is_voter(id)
                && let Err(error) = self.quorum.forget(&members, id).await
            {
                tracing::info!(controller = id, %error, "an observer could not be forgotten");
            }
        }
    }

    fn locate(&self, member: &Member) -> HostPort {
        self.quorum.locate(member)
    }

    fn is_alive(&self, id: BrokerId) -> bool {
        let replicas = self.quorum.replicas();
        let replica = replicas.iter().find(|replica| replica.member.id == id);
        replica.and_then(|replica| replica.since_contact).is_some_and(|since| since < ALIVE)
    }

    fn is_reconfigurable(&self) -> bool {
        self.committed.image().feature_level(feature::KRAFT_VERSION) >= 1
    }

    fn check_reconfigurable(&self, doing: &str) -> Result<(), Refusal> {
        if self.is_reconfigurable() {
            return Ok(());
        }
        let message =
            format!("Cluster doesn't support {doing} voter because the kraft.version feature is 0");
        Err(Refusal::new(ErrorCode::UnsupportedVersion, message))
    }

    /// Asks the controller at that address whether it is the one.
    async fn is_ready(&self, who: &Member, deadline: Instant) -> Result<(), String> {
        let HostPort { host, port } = &who.address;
        let request = ProbeRequest {
            cluster_id: self.identity.cluster_id().unwrap_or_default(),
            node_id: self.options.node_id,
        };
        let ask = async {
            let channel = connect(host, *port, &ChannelOptions::default()).await;
            let channel = channel.map_err(|error| format!("{}: {error}", who.address))?;
            let answer = controller_client(channel).probe(request).await;
            answer.map_err(|status| status.message().to_owned())
        };
        let answer = timeout_at(deadline.min(Instant::now() + ALIVE), ask).await;
        let answer = answer.map_err(|_| format!("{} does not answer", who.address))??.into_inner();
        if answer.node_id != who.id {
            return Err(format!("controller {} answers at {}", answer.node_id, who.address));
        }
        if answer.directory_id[..] != who.directory_id.as_bytes()[..] {
            let has = <[u8; 16]>::try_from(&*answer.directory_id).map(KafkaUuid::from_bytes);
            let has = has.unwrap_or(KafkaUuid::ZERO);
            return Err(format!("the directory id at {} is {has}", who.address));
        }
        self.identity.check(&answer.cluster_id).map_err(|mismatch| mismatch.to_string())
    }

    /// Until the controller is a member, by its directory, and has what there is now.
    async fn caught_up(&self, who: &Member) {
        let target = self.quorum.log_end();
        loop {
            let replicas = self.quorum.replicas();
            let there = replicas.iter().any(|replica| {
                replica.member.id == who.id
                    && replica.member.directory_id == who.directory_id
                    && replica.log_end_offset >= target
            });
            if there {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn keys(members: &Members) -> String {
    let keys: Vec<String> = members.voters().map(|voter| voter.key().to_string()).collect();
    format!("[{}]", keys.join(", "))
}

fn previous_change() -> Failure {
    let message = "Request timed out waiting for leader to handle previous voter change request";
    Refusal::new(ErrorCode::RequestTimedOut, message).into()
}

fn unchanged(error: ChangeError) -> Failure {
    match error {
        ChangeError::NotLeader => WriteError::NotLeader.into(),
        ChangeError::Unknown => WriteError::Unknown.into(),
        ChangeError::Busy => previous_change(),
        ChangeError::Impossible(reason) => {
            Refusal::new(ErrorCode::UnknownServerError, reason).into()
        }
    }
}
