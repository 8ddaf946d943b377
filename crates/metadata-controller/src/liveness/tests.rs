use std::sync::Arc;

use ottla_metadata::record::{BrokerChange, RegisterBroker};
use ottla_metadata::{Batch, Record};

use super::*;

const TIMEOUT: Millis = 1500;

/// A script: steps at times, and what each brought about.
struct Script {
    image: Image,
    liveness: Liveness,
    said: Vec<String>,
}

impl Script {
    /// Brokers 1 and 2, registered with epochs 1 and 2, unfenced.
    fn new() -> Self {
        let mut script =
            Self { image: Image::default(), liveness: Liveness::new(TIMEOUT), said: Vec::new() };
        for id in [1, 2] {
            script.commit(vec![
                register(id, i64::from(id)),
                standing(id, i64::from(id), false, false),
            ]);
        }
        script
    }

    fn commit(&mut self, records: Vec<Record>) {
        let offset = self.image.offset() + 1;
        self.image.replay_batch(offset, &Batch { records, timestamp_ms: 0 });
    }

    fn at(&mut self, now: Millis, input: Input) -> &mut Self {
        let mut effects = Vec::new();
        self.liveness.step(now, &self.image, input, &mut effects);
        self.said.extend(effects.iter().map(|effect| match effect {
            Effect::Dial(id, ..) => format!("{now} dial {id}"),
            Effect::Fence(id, _, cause, seen) => format!("{now} fence {id} {cause:?} seen {seen}"),
            Effect::Unfence(id, _) => format!("{now} unfence {id}"),
            Effect::ControlledShutdown(id, _) => format!("{now} hand over {id}"),
            Effect::Answer(session, answer) => {
                let mut words = vec![format!("{now} answer {session}")];
                words.extend(answer.fenced.then(|| "fenced".to_owned()));
                words.extend(answer.should_shut_down.then(|| "stop".to_owned()));
                words.extend(answer.stale_epoch.then(|| "stale".to_owned()));
                words.extend(answer.unregistered.then(|| "unregistered".to_owned()));
                words.join(" ")
            }
        }));
        self
    }

    fn ticks(&mut self, times: impl IntoIterator<Item = Millis>) -> &mut Self {
        for now in times {
            self.at(now, Input::Tick);
        }
        self
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

fn register(id: BrokerId, epoch: BrokerEpoch) -> Record {
    Record::RegisterBroker(RegisterBroker {
        broker_id: id,
        incarnation_id: KafkaUuid::from_bytes([id.unsigned_abs() as u8; 16]),
        broker_epoch: epoch,
        endpoints: Vec::new(),
        rack: None,
        inter_broker_listener: Arc::from("PLAINTEXT"),
    })
}

fn standing(id: BrokerId, epoch: BrokerEpoch, fenced: bool, leaving: bool) -> Record {
    Record::BrokerChange(BrokerChange {
        broker_id: id,
        broker_epoch: epoch,
        fenced: Some(fenced),
        in_controlled_shutdown: Some(leaving),
        cause: FenceCause::None,
        detected_at_ms: 0,
    })
}

fn beat(session: SessionId, id: BrokerId, offset: MetadataOffset) -> Input {
    let state = BeatState { metadata_offset: offset, ..BeatState::default() };
    Input::Beat(session, id, i64::from(id), state)
}

fn leaving(session: SessionId, id: BrokerId, offset: MetadataOffset) -> Input {
    let state = BeatState { metadata_offset: offset, want_shutdown: true, ..BeatState::default() };
    Input::Beat(session, id, i64::from(id), state)
}

/// Both brokers in session from 10 on.
fn in_session() -> Script {
    let mut script = Script::new();
    script.at(10, Input::Opened(1, 1, 1)).at(10, Input::Opened(2, 2, 2));
    script
}

#[test]
fn a_killed_broker_is_fenced_once_a_dial_is_refused() {
    let mut script = in_session();
    script.at(100, Input::Closed(1, 1));
    assert_eq!(script.said(), ["100 dial 1"]);
    script.at(101, Input::Dialled(1, 1, Dialled::Refused));
    assert_eq!(script.said(), ["101 fence 1 ConnectionRefused seen 100"]);
    script.commit(vec![standing(1, 1, true, false)]);
    script.ticks([110, 210, 310]);
    assert_eq!(script.said(), [""; 0]);
}

#[test]
fn another_incarnation_fences_at_once() {
    let mut script = in_session();
    script.at(100, Input::Closed(1, 1)).at(102, Input::Dialled(1, 1, Dialled::Other));
    assert_eq!(script.said(), ["100 dial 1", "102 fence 1 OtherIncarnation seen 100"]);
}

#[test]
fn a_broken_connection_of_a_living_broker_waits_for_the_session_timeout() {
    let mut script = in_session();
    script.at(100, Input::Closed(1, 1)).at(102, Input::Dialled(1, 1, Dialled::Same));
    script.ticks([120]).at(160, Input::Opened(3, 1, 1));
    script.at(170, Input::Dialled(1, 1, Dialled::Refused));
    assert_eq!(
        script.said(),
        ["100 dial 1"],
        "a session is there again: the late answer says nothing"
    );

    script.at(200, Input::Closed(3, 1));
    for now in (250..=1700).step_by(50) {
        script.at(now, Input::Dialled(1, 1, Dialled::Same)).at(now, beat(2, 2, 9));
    }
    let said = script.said();
    let fences: Vec<_> = said.iter().filter(|line| line.contains("fence 1")).collect();
    assert_eq!(fences, ["1700 fence 1 SessionExpired seen 1700"], "160 is before the last contact");
}

#[test]
fn silence_is_fenced_after_the_session_timeout_and_asked_again() {
    let mut script = in_session();
    for now in (100..=2600).step_by(100) {
        script.at(now, beat(2, 2, 9));
    }
    let said = script.said();
    let fences: Vec<_> = said.iter().filter(|line| line.contains("fence")).collect();
    assert_eq!(
        fences,
        ["1600 fence 1 SessionExpired seen 1600", "2600 fence 1 SessionExpired seen 2600"]
    );
}

#[test]
fn a_fenced_broker_is_unfenced_when_it_has_replayed_its_registration() {
    let mut script = in_session();
    script.commit(vec![register(1, 3)]);
    script.at(100, Input::Registered(1, 3, 3)).at(101, Input::Opened(5, 1, 3));
    let behind = BeatState { metadata_offset: 2, ..BeatState::default() };
    let there = BeatState { metadata_offset: 3, ..BeatState::default() };
    let unwilling = BeatState { metadata_offset: 3, want_fence: true, ..BeatState::default() };
    script.at(102, Input::Beat(5, 1, 3, behind)).at(103, Input::Beat(5, 1, 3, unwilling));
    script.at(104, Input::Beat(5, 1, 3, there)).at(105, Input::Beat(5, 1, 3, there));
    assert_eq!(
        script.said(),
        [
            "102 answer 5 fenced",
            "103 answer 5 fenced",
            "104 unfence 1",
            "104 answer 5 fenced",
            "105 answer 5 fenced"
        ]
    );
    // Dying right after it was unfenced, it is fenced right then.
    script.commit(vec![standing(1, 3, false, false)]);
    script.at(110, Input::Closed(5, 1)).at(111, Input::Dialled(1, 3, Dialled::Refused));
    assert_eq!(script.said(), ["110 dial 1", "111 fence 1 ConnectionRefused seen 110"]);
}

#[test]
fn a_session_of_an_older_registration_is_stale() {
    let mut script = in_session();
    script.commit(vec![register(1, 3)]);
    script.at(100, beat(1, 1, 9)).at(101, Input::Opened(4, 7, 7));
    assert_eq!(script.said(), ["100 answer 1 stale", "101 answer 4 stale unregistered"]);
}

#[test]
fn who_has_no_registration_any_more_is_told_so() {
    let mut script = in_session();
    script.commit(vec![Record::UnregisterBroker { broker_id: 1, broker_epoch: 1 }]);
    script.at(100, beat(1, 1, 9));
    assert_eq!(script.said(), ["100 answer 1 stale unregistered"]);
}

#[test]
fn a_broker_that_leaves_stops_when_the_others_have_heard_of_it() {
    let mut script = in_session();
    script.at(20, beat(2, 2, 2)).at(30, leaving(1, 1, 2));
    assert_eq!(script.said(), ["20 answer 2", "30 hand over 1", "30 answer 1"]);
    script.commit(vec![standing(1, 1, false, true)]);
    script.at(40, leaving(1, 1, 3)).at(50, beat(2, 2, 3)).at(60, leaving(1, 1, 3));
    assert_eq!(script.said(), ["40 answer 1", "50 answer 2", "60 answer 1 stop"]);
    script.at(70, Input::Closed(1, 1));
    assert_eq!(script.said(), ["70 fence 1 ControlledShutdown seen 70"]);
}

#[test]
fn a_new_active_controller_dials_who_has_no_session() {
    let mut script = Script::new();
    script.commit(vec![register(3, 3)]);
    // The last that was heard of broker 1 was long before.
    script.at(1000, Input::Activated([(1, 100)].into()));
    assert_eq!(script.said(), ["1000 dial 1", "1000 dial 2"], "broker 3 is fenced");
    script.at(1001, Input::Dialled(2, 2, Dialled::Refused));
    assert_eq!(script.said(), ["1001 fence 2 ConnectionRefused seen 1000"]);
    script.commit(vec![standing(2, 2, true, false)]);
    script.at(1200, Input::Dialled(1, 1, Dialled::NoAnswer));
    script.ticks([1260, 1500, 1599, 1600]);
    assert_eq!(script.said(), ["1260 dial 1", "1600 fence 1 SessionExpired seen 1600"]);
}

#[test]
fn the_controllers_own_pause_fences_nobody() {
    let mut script = in_session();
    script.ticks([100, 200, 9000, 9100]);
    assert_eq!(script.said(), [""; 0]);
}

#[test]
fn a_broker_settles_when_it_was_unfenced_for_long_without_a_break() {
    let mut script = Script::new();
    let settled =
        |script: &Script, now| script.liveness.settled(now).into_iter().collect::<Vec<_>>();
    script.at(1000, Input::Activated(BTreeMap::new()));
    assert_eq!(
        settled(&script, 1000 + SETTLED_AFTER_MS - 1),
        [0; 0],
        "counted from the activation"
    );
    assert_eq!(settled(&script, 1000 + SETTLED_AFTER_MS), [1, 2]);
    // Neither a broken session nor the controller's own pause is a break; a fence is, and a new registration.
    script.at(1100, Input::Opened(1, 1, 1)).at(9000, Input::Closed(1, 1));
    assert_eq!(settled(&script, 1000 + SETTLED_AFTER_MS), [1, 2]);
    script.commit(vec![standing(1, 1, true, false)]);
    script.ticks([10_000]);
    script.commit(vec![standing(1, 1, false, false), register(2, 5)]);
    script.ticks([11_000]);
    assert_eq!(settled(&script, 11_000 + SETTLED_AFTER_MS - 1), [0; 0]);
    assert_eq!(settled(&script, 11_000 + SETTLED_AFTER_MS), [1], "broker 2 is fenced");
    script.commit(vec![standing(2, 5, false, false)]);
    script.ticks([20_000]);
    assert_eq!(settled(&script, 20_000 + SETTLED_AFTER_MS - 1), [1]);
    assert_eq!(settled(&script, 20_000 + SETTLED_AFTER_MS), [1, 2]);
}
