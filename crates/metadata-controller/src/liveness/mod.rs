//! Which brokers are there: sessions, silence, and what follows from them.
//!
//! Pure. A session's end only raises a suspicion; a refused dial, or another incarnation that answers,
//! confirms it at once. Silence is judged by the session timeout alone, counted from the last contact.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ottla_metadata::{Broker, FenceCause, Image};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset};

/// Milliseconds on a clock that only goes forward.
pub(crate) type Millis = u64;
/// Numbers the session streams of one activation.
pub(crate) type SessionId = u64;

/// Between two dials of a broker that has no session.
const REDIAL_MS: Millis = 50;
/// A wish that has had no effect after this long is uttered again.
const ASK_AGAIN_MS: Millis = 1000;
/// Steps come at least this often; a longer gap means that this process itself stood still, and that the
/// brokers' silence in it says nothing.
const MAX_GAP_MS: Millis = 400;
/// How long a broker that has handed everything over waits for the others to hear of it.
const HANDOVER_PATIENCE_MS: Millis = 500;
/// A broker that has been unfenced for so long may be given leadership back unasked. While it was down its
/// clients retried ever less often, librdkafka's at last every 10 s (`reconnect.backoff.max.ms`): who is not
/// connected again when leadership moves has a gap until then. Half as much again is for connecting.
const SETTLED_AFTER_MS: Millis = 15_000;
/// A broker that was not heard for so long is not an observer any more, as with Kafka.
const OBSERVER_SESSION_MS: Millis = 300_000;

/// What a broker says in a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BeatState {
    pub(crate) metadata_offset: MetadataOffset,
    pub(crate) want_fence: bool,
    pub(crate) want_shutdown: bool,
    /// Names the directory of its metadata; zeros where it is not known.
    pub(crate) directory_id: [u8; 16],
}

/// A broker that follows the metadata: an observer of the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follower {
    pub(crate) id: BrokerId,
    pub(crate) directory_id: [u8; 16],
    pub(crate) metadata_offset: MetadataOffset,
    pub(crate) heard: Millis,
    /// When it was last heard to have all that was committed.
    pub(crate) caught_up: Option<Millis>,
}

/// What a dial found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// Nobody listens.
    Refused,
    /// The process of this registration answered.
    Same,
    /// Another process answered.
    Other,
    /// Nothing that says anything.
    NoAnswer,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// The controller became active. Contacts earlier than now are given where they are known.
    Activated(BTreeMap<BrokerId, Millis>),
    /// A broker registered, at this offset.
    Registered(BrokerId, BrokerEpoch, MetadataOffset),
    /// A broker began a session.
    Opened(SessionId, BrokerId, BrokerEpoch),
    /// A broker beat in its session.
    Beat(SessionId, BrokerId, BrokerEpoch, BeatState),
    /// A session's stream ended.
    Closed(SessionId, BrokerId),
    /// A dial came to its end.
    Dialled(BrokerId, BrokerEpoch, Dialled),
    /// The image has changed, or time has passed.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Dial the broker, and say what answered.
    Dial(BrokerId, BrokerEpoch, KafkaUuid),
    /// Propose to fence it; the last is when the cause was first seen.
    Fence(BrokerId, BrokerEpoch, FenceCause, Millis),
    /// Propose to unfence it.
    Unfence(BrokerId, BrokerEpoch),
    /// Propose to begin its controlled shutdown.
    ControlledShutdown(BrokerId, BrokerEpoch),
    /// Answer a beat.
    Answer(SessionId, BeatAnswer),
}

/// The answer to a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BeatAnswer {
    pub(crate) fenced: bool,
    pub(crate) should_shut_down: bool,
    pub(crate) stale_epoch: bool,
    /// With `stale_epoch`: the broker has no registration at all.
    pub(crate) unregistered: bool,
}

/// All brokers, as the active controller watches them.
#[derive(Debug)]
pub(crate) struct Liveness {
    session_timeout: Millis,
    last_step: Millis,
    brokers: BTreeMap<BrokerId, Watched>,
}

/// What can be proposed about a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Fence,
    Unfence,
    ControlledShutdown,
}

/// One registration.
#[derive(Debug)]
struct Watched {
    epoch: BrokerEpoch,
    registered_at: MetadataOffset,
    session: Option<SessionId>,
    last_contact: Millis,
    metadata_offset: MetadataOffset,
    directory_id: [u8; 16],
    /// When it last beat, and when it last did so with all that was committed.
    heard: Option<Millis>,
    caught_up: Option<Millis>,
    /// Since when it has no session.
    suspected_at: Option<Millis>,
    dialling: bool,
    redial_at: Option<Millis>,
    /// Since when the image says, without a break, that it is unfenced.
    unfenced_since: Option<Millis>,
    /// What was last proposed about it, and when.
    asked: Option<(Asked, Millis)>,
    /// Since when, and at which offset, the image says that it shuts down.
    shutting_down: Option<(Millis, MetadataOffset)>,
    may_stop: bool,
}

impl Watched {
    fn new(now: Millis, broker: &Broker, registered_at: MetadataOffset) -> Self {
        Self {
            epoch: broker.epoch,
            registered_at,
            session: None,
            last_contact: now,
            metadata_offset: 0,
            directory_id: [0; 16],
            heard: None,
            caught_up: None,
            suspected_at: None,
            dialling: false,
            redial_at: None,
            unfenced_since: None,
            asked: None,
            shutting_down: None,
            may_stop: false,
        }
    }

    /// Whether to utter a wish now: not while the same one is likely to be under way.
    fn ask(&mut self, now: Millis, what: Asked) -> bool {
        let due = self.asked.is_none_or(|(last, at)| last != what || now >= at + ASK_AGAIN_MS);
        if due {
            self.asked = Some((what, now));
        }
        due
    }
}

impl Liveness {
    pub(crate) fn new(session_timeout: Millis) -> Self {
        Self { session_timeout, last_step: 0, brokers: BTreeMap::new() }
    }

    /// Takes one input in, at `now`, with the committed image as it is then.
    pub(crate) fn step(
        &mut self,
        now: Millis,
        image: &Image,
        input: Input,
        effects: &mut Vec<Effect>,
    ) {
        self.forgive_own_pause(now);
        self.follow(now, image);
        match input {
            Input::Activated(contacts) => self.activated(now, image, &contacts),
            Input::Registered(id, epoch, offset) => {
                if let Some(broker) = self.registration(id, epoch) {
                    broker.registered_at = offset;
                    broker.last_contact = now;
                }
            }
            Input::Opened(session, id, epoch) => match self.registration(id, epoch) {
                Some(broker) => {
                    broker.session = Some(session);
                    broker.last_contact = now;
                    broker.suspected_at = None;
                    broker.redial_at = None;
                }
                None => effects.push(stale(image, session, id)),
            },
            Input::Beat(session, id, epoch, beat) => {
                self.beat(now, image, session, (id, epoch), beat, effects)
            }
            Input::Closed(session, id) => self.closed(now, session, id),
            Input::Dialled(id, epoch, outcome) => {
                self.dialled(now, image, (id, epoch), outcome, effects)
            }
            Input::Tick => {}
        }
        self.judge(now, image, effects);
    }

    /// When the next step is due at the latest.
    pub(crate) fn next_step(&self, now: Millis) -> Millis {
        let due = self.brokers.values().flat_map(|broker| {
            [Some(broker.last_contact + self.session_timeout), broker.redial_at]
        });
        due.flatten()
            .filter(|due| *due > now)
            .min()
            .unwrap_or(Millis::MAX)
            .min(now + MAX_GAP_MS / 4)
    }

    /// The brokers that have been unfenced for [`SETTLED_AFTER_MS`] without a break, as seen here.
    pub(crate) fn settled(&self, now: Millis) -> BTreeSet<BrokerId> {
        let has_settled = |watched: &Watched| {
            watched.unfenced_since.is_some_and(|since| now >= since + SETTLED_AFTER_MS)
        };
        let settled = self.brokers.iter().filter(|(_, watched)| has_settled(watched));
        settled.map(|(id, _)| *id).collect()
    }

    /// The brokers that were heard in the last [`OBSERVER_SESSION_MS`], by this activation.
    pub(crate) fn followers(&self, now: Millis) -> Vec<Follower> {
        let brokers = self.brokers.iter().filter_map(|(id, watched)| {
            let heard = watched.heard.filter(|heard| now < heard + OBSERVER_SESSION_MS)?;
            Some(Follower {
                id: *id,
                directory_id: watched.directory_id,
                metadata_offset: watched.metadata_offset,
                heard,
                caught_up: watched.caught_up,
            })
        });
        brokers.collect()
    }

    fn registration(&mut self, id: BrokerId, epoch: BrokerEpoch) -> Option<&mut Watched> {
        self.brokers.get_mut(&id).filter(|broker| broker.epoch == epoch)
    }

    fn forgive_own_pause(&mut self, now: Millis) {
        let gap = now.saturating_sub(self.last_step);
        if self.last_step > 0 && gap > MAX_GAP_MS {
            for broker in self.brokers.values_mut() {
                broker.last_contact += gap;
            }
        }
        self.last_step = now;
    }

    /// Brings the watched registrations in line with the image.
    fn follow(&mut self, now: Millis, image: &Image) {
        self.brokers.retain(|id, watched| {
            image.broker(*id).is_some_and(|broker| broker.epoch == watched.epoch)
        });
        for (id, broker) in image.brokers() {
            let watched = self
                .brokers
                .entry(*id)
                .or_insert_with(|| Watched::new(now, broker, image.offset()));
            watched.unfenced_since =
                (!broker.fenced).then(|| watched.unfenced_since.unwrap_or(now));
            if broker.in_controlled_shutdown && watched.shutting_down.is_none() {
                watched.shutting_down = Some((now, image.offset()));
            }
        }
    }

    /// A new active controller knows nothing of the sessions there were: who is unfenced is dialled.
    fn activated(&mut self, now: Millis, image: &Image, contacts: &BTreeMap<BrokerId, Millis>) {
        for (id, watched) in &mut self.brokers {
            if let Some(contact) = contacts.get(id) {
                watched.last_contact = *contact;
            }
            if image.broker(*id).is_some_and(|broker| !broker.fenced) && watched.session.is_none() {
                watched.suspected_at = Some(now);
                watched.redial_at = Some(now);
            }
        }
    }

    fn closed(&mut self, now: Millis, session: SessionId, id: BrokerId) {
        if let Some(broker) =
            self.brokers.get_mut(&id).filter(|broker| broker.session == Some(session))
        {
            broker.session = None;
            broker.suspected_at = Some(now);
            broker.redial_at = Some(now);
        }
    }

    fn beat(
        &mut self,
        now: Millis,
        image: &Image,
        session: SessionId,
        (id, epoch): (BrokerId, BrokerEpoch),
        beat: BeatState,
        effects: &mut Vec<Effect>,
    ) {
        let Some((broker, registered)) = self.registration(id, epoch).zip(image.broker(id)) else {
            effects.push(stale(image, session, id));
            return;
        };
        broker.last_contact = now;
        broker.metadata_offset = beat.metadata_offset;
        broker.directory_id = beat.directory_id;
        broker.heard = Some(now);
        if beat.metadata_offset >= image.offset() {
            broker.caught_up = Some(now);
        }
        if beat.want_shutdown {
            if !registered.fenced
                && !registered.in_controlled_shutdown
                && broker.ask(now, Asked::ControlledShutdown)
            {
                effects.push(Effect::ControlledShutdown(id, epoch));
            }
        } else if beat.want_fence {
            if !registered.fenced && broker.ask(now, Asked::Fence) {
                effects.push(Effect::Fence(id, epoch, FenceCause::None, now));
            }
        } else if registered.fenced
            && beat.metadata_offset >= broker.registered_at
            && broker.ask(now, Asked::Unfence)
        {
            effects.push(Effect::Unfence(id, epoch));
        }
        let should_shut_down = beat.want_shutdown
            && (registered.fenced
                || (registered.in_controlled_shutdown && self.handed_over(now, image, id)));
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.may_stop |= should_shut_down;
        }
        let answer =
            BeatAnswer { fenced: registered.fenced, should_shut_down, ..BeatAnswer::default() };
        effects.push(Effect::Answer(session, answer));
    }

    /// Whether a broker that shuts down leads nothing any more, and the others have heard of it.
    fn handed_over(&self, now: Millis, image: &Image, id: BrokerId) -> bool {
        let Some((since, offset)) = self.brokers.get(&id).and_then(|broker| broker.shutting_down)
        else {
            return false;
        };
        let leads = || {
            let mut partitions = image.topics().flat_map(|topic| topic.partitions.values());
            partitions.any(|partition| partition.leader == Some(id))
        };
        let heard = || {
            self.brokers.iter().all(|(other, watched)| {
                *other == id || watched.session.is_none() || watched.metadata_offset >= offset
            })
        };
        (heard() || now >= since + HANDOVER_PATIENCE_MS) && !leads()
    }

    fn dialled(
        &mut self,
        now: Millis,
        image: &Image,
        (id, epoch): (BrokerId, BrokerEpoch),
        outcome: Dialled,
        effects: &mut Vec<Effect>,
    ) {
        let Some((broker, registered)) = self.registration(id, epoch).zip(image.broker(id)) else {
            return;
        };
        broker.dialling = false;
        if broker.session.is_some() || registered.fenced {
            return;
        }
        let seen = broker.suspected_at.unwrap_or(now);
        let cause = match outcome {
            Dialled::Refused if broker.may_stop => FenceCause::ControlledShutdown,
            Dialled::Refused => FenceCause::ConnectionRefused,
            Dialled::Other => FenceCause::OtherIncarnation,
            Dialled::Same | Dialled::NoAnswer => {
                broker.redial_at = Some(now + REDIAL_MS);
                return;
            }
        };
        if broker.ask(now, Asked::Fence) {
            effects.push(Effect::Fence(id, epoch, cause, seen));
        }
        broker.redial_at = Some(now + REDIAL_MS);
    }

    /// Fences who is silent, dials who is suspected.
    fn judge(&mut self, now: Millis, image: &Image, effects: &mut Vec<Effect>) {
        for (id, broker) in &mut self.brokers {
            let Some(registered) = image.broker(*id) else { continue };
            if registered.fenced {
                broker.redial_at = None;
                continue;
            }
            if broker.session.is_none() && broker.may_stop {
                if broker.ask(now, Asked::Fence) {
                    let cause = FenceCause::ControlledShutdown;
                    effects.push(Effect::Fence(*id, broker.epoch, cause, now));
                }
                continue;
            }
            if now >= broker.last_contact + self.session_timeout {
                if broker.ask(now, Asked::Fence) {
                    effects.push(Effect::Fence(*id, broker.epoch, FenceCause::SessionExpired, now));
                }
            } else if !broker.dialling && broker.redial_at.is_some_and(|due| now >= due) {
                broker.dialling = true;
                broker.redial_at = None;
                effects.push(Effect::Dial(*id, broker.epoch, registered.incarnation_id));
            }
        }
    }
}

fn stale(image: &Image, session: SessionId, id: BrokerId) -> Effect {
    let unregistered = image.broker(id).is_none();
    let answer = BeatAnswer { stale_epoch: true, unregistered, ..BeatAnswer::default() };
    Effect::Answer(session, answer)
}
