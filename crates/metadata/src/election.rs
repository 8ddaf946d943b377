//! Who leads a partition, who is in sync, and who stays eligible (KIP-966).
//!
//! What was decided, and why it loses nothing that was acknowledged:
//!
//! - A record is acknowledged (acks=all) once the high watermark has passed it, and the leader moves
//!   the high watermark only while the ISR has at least `min.insync.replicas` members. So when the
//!   ISR falls below that, whoever leaves it still has everything acknowledged: it becomes an
//!   *eligible leader replica*, and stays one until the ISR is large enough again, after which the
//!   high watermark moves without it.
//! - A leader comes from the ISR, else from the ELR. It then is the ISR; the rest of the ELR stays.
//! - When the last in-sync replica goes, the ISR is empty, it becomes eligible, and it is noted as
//!   the *last known leader*.
//! - A replica that was not shut down cleanly may have lost what it had not flushed: it leaves ISR
//!   and ELR (see `plan::brokers::register`) until it has caught up. Should that leave neither an
//!   in-sync nor an eligible replica, nobody can be proved to have everything, and the last known
//!   leader is elected once it is back: nobody has more than it. With `flush.messages=1` it has
//!   everything acknowledged, for that had been flushed. Otherwise this is Kafka's promise: what the
//!   page cache of every eligible replica lost, is lost. Such an election is declared by
//!   `leader_recovering`. A replica whose disk came back empty is never elected this way.
//! - Anyone else is elected only if an unclean election is wanted, by configuration or by command.

use ottla_config::default_min_insync_replicas;
use ottla_protocol::ids::{BrokerId, TopicIdPartition};

use crate::image::{Image, Partition};
use crate::reassignment::{self, Reassignment};

/// Which leader is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The present one while it may lead; else the first that may.
    Online,
    /// The preferred one if it is in sync; else as `Online`.
    Preferred,
    /// As `Online`; if nobody may lead, any active replica.
    Unclean,
}

/// What a change of one partition starts from, besides its present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The in-sync set from here on, should the leader not change uncleanly.
    pub isr: Vec<BrokerId>,
    /// A replica that has come back from an unclean stop: not eligible any more.
    pub stopped_uncleanly: Option<BrokerId>,
    /// And it came back with nothing: it is not the last known leader either.
    pub disk_is_empty: bool,
    /// The leader says that it has recovered from its unclean election.
    pub leader_recovered: bool,
    /// Which leader is wanted.
    pub election: Election,
    /// Other replicas.
    pub reassignment: Option<Reassignment>,
}

impl Change {
    /// A change of the in-sync set.
    #[must_use]
    pub fn isr(isr: Vec<BrokerId>) -> Self {
        Self {
            isr,
            stopped_uncleanly: None,
            disk_is_empty: false,
            leader_recovered: false,
            election: Election::Online,
            reassignment: None,
        }
    }

    /// The in-sync set without one member.
    #[must_use]
    pub fn without(partition: &Partition, broker: BrokerId) -> Self {
        Self::isr(partition.isr.iter().copied().filter(|&member| member != broker).collect())
    }

    /// An election among those there are.
    #[must_use]
    pub fn elect(partition: &Partition, election: Election) -> Self {
        Self { election, ..Self::isr(partition.isr.clone()) }
    }

    /// Other replicas, or an end to it.
    #[must_use]
    pub fn reassign(partition: &Partition, reassignment: Reassignment) -> Self {
        Self { reassignment: Some(reassignment), ..Self::isr(partition.isr.clone()) }
    }
}

/// Where the change happens.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Which partition it is.
    pub id: TopicIdPartition,
    /// Who is registered, unfenced and not shutting down, and whose replica is not offline.
    pub image: &'a Image,
    /// `min.insync.replicas` as somebody set it; `None`: what follows from the replication factor.
    pub min_isr: Option<usize>,
    /// `unclean.leader.election.enable` in force.
    pub unclean: bool,
}

impl Terms<'_> {
    /// How many replicas must be in sync, for the high watermark to move.
    fn required(&self, replication_factor: usize) -> usize {
        let default = || {
            usize::try_from(default_min_insync_replicas(replication_factor)).unwrap_or(usize::MAX)
        };
        self.min_isr.unwrap_or_else(default).clamp(1, replication_factor.max(1))
    }
}

/// The partition's next state, with its epochs raised: the partition epoch by any change, the leader
/// epoch by a change of leader (to none, too). `None`: nothing changes.
#[must_use]
pub fn next_state(old: &Partition, change: Change, terms: Terms<'_>) -> Option<Partition> {
    let mut new = old.clone();
    let Change { isr, stopped_uncleanly, disk_is_empty, leader_recovered, election, reassignment } =
        change;
    new.isr = isr;
    if let Some(reassignment) = reassignment {
        reassignment.apply(&mut new);
    }
    reassignment::complete(&mut new);
    if disk_is_empty {
        new.last_known_elr.retain(|id| Some(*id) != stopped_uncleanly);
    }
    new.leader_recovering &= !leader_recovered;
    keep_eligible(old, &mut new, stopped_uncleanly, terms);
    match elect(old, &new, election, terms) {
        Elected::InSync(leader) => new.leader = Some(leader),
        Elected::Eligible(leader) => {
            new.leader = Some(leader);
            new.isr = vec![leader];
            keep_eligible(old, &mut new, stopped_uncleanly, terms);
        }
        Elected::Uncleanly(leader) => {
            // Its log is the truth from here on: nobody else is known to agree with it.
            new.leader = Some(leader);
            new.isr = vec![leader];
            new.elr.clear();
            new.last_known_elr.clear();
            new.leader_recovering = true;
        }
        Elected::Nobody => {
            new.leader = None;
            if let Some(leader) = old.leader
                && new.isr.is_empty()
                && new.replicas.contains(&leader)
            {
                new.last_known_elr = vec![leader];
            }
        }
    }
    // The ISR may have become the new leader alone, and be enough. It stays, so the election holds.
    reassignment::complete(&mut new);
    if new == *old {
        return None;
    }
    new.partition_epoch += 1;
    if new.leader != old.leader {
        new.leader_epoch += 1;
    }
    Some(new)
}

/// Who is eligible once the ISR is `new.isr`.
fn keep_eligible(
    old: &Partition,
    new: &mut Partition,
    stopped_uncleanly: Option<BrokerId>,
    terms: Terms<'_>,
) {
    if new.isr.len() >= terms.required(new.replication_factor()) {
        new.elr.clear();
        new.last_known_elr.clear();
        return;
    }
    let was_eligible = |id: &BrokerId| old.isr.contains(id) || old.elr.contains(id);
    new.elr = new
        .replicas
        .iter()
        .copied()
        .filter(|id| was_eligible(id) && !new.isr.contains(id) && Some(*id) != stopped_uncleanly)
        .collect();
}

enum Elected {
    InSync(BrokerId),
    Eligible(BrokerId),
    Uncleanly(BrokerId),
    Nobody,
}

fn elect(old: &Partition, new: &Partition, election: Election, terms: Terms<'_>) -> Elected {
    let broker = |id: &BrokerId| terms.image.broker(*id);
    let active = |id: &BrokerId| broker(id).is_some_and(|broker| broker.may_serve(terms.id));
    let in_sync = |id: &BrokerId| new.isr.contains(id) && active(id);
    let first = |may: &dyn Fn(&BrokerId) -> bool| new.replicas.iter().copied().find(|id| may(id));

    let wanted = match election {
        Election::Preferred => new.preferred_leader().filter(in_sync),
        Election::Online | Election::Unclean => None,
    };
    if let Some(leader) = wanted.or(old.leader.filter(in_sync)).or_else(|| first(&in_sync)) {
        return Elected::InSync(leader);
    }
    if let Some(leader) = first(&|id| new.elr.contains(id) && active(id)) {
        return Elected::Eligible(leader);
    }
    let last_known = new.last_known_elr.first().copied().filter(active);
    if new.isr.is_empty()
        && new.elr.is_empty()
        && let Some(leader) = last_known
    {
        return Elected::Uncleanly(leader);
    }
    if (terms.unclean || election == Election::Unclean)
        && let Some(leader) = last_known.or_else(|| first(&active))
    {
        return Elected::Uncleanly(leader);
    }
    Elected::Nobody
}
