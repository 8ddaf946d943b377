use std::sync::Arc;

use ottla_protocol::record::BatchHeader;

use super::*;
use crate::producer::queue::advance;

const NOBODY: Option<(BrokerId, LeaderEpoch)> = None;
const FIRST: (BrokerId, LeaderEpoch) = (1, 0);
const SECOND: (BrokerId, LeaderEpoch) = (2, 1);
const ID: Identity = Identity { producer_id: 7, producer_epoch: 0 };

struct Script {
    batches: Batches,
    now: Millis,
    token: Token,
}

impl Script {
    fn new(change: impl Fn(&mut ProducerOptions)) -> Self {
        let mut options = ProducerOptions { linger_ms: 0, ..ProducerOptions::default() };
        change(&mut options);
        let mut batches = Batches::new(Arc::new(options), |_| 100);
        batches.set_identity(ID);
        Self { batches, now: 0, token: 0 }
    }

    fn append(&mut self, value: &str) {
        self.token += 1;
        let record =
            ProducerRecord { value: Some(value.as_bytes().to_vec()), ..ProducerRecord::default() };
        self.batches.append(self.now, partition(), 0, &record, self.token);
    }

    /// Sends one record's batch and returns it.
    fn send(&mut self, leader: (BrokerId, LeaderEpoch)) -> Option<Outbound> {
        let requests = self.batches.drain(self.now, |_| Some(leader));
        requests.into_iter().next().and_then(|request| request.batches.into_iter().next())
    }

    fn append_and_send(&mut self, value: &str) -> Outbound {
        self.append(value);
        self.send(FIRST).expect("a batch is due")
    }

    fn answer(&mut self, batch: &Outbound, from: (BrokerId, LeaderEpoch), answer: Answer) {
        self.batches.request_ended(from.0);
        self.batches.on_answer(self.now, &batch.partition, &batch.batch, from, answer);
    }

    fn written(&mut self, batch: &Outbound, base_offset: Offset) {
        self.answer(batch, FIRST, Answer::Written { base_offset, log_append_time: -1 });
    }

    /// The offsets of acknowledged records, and "refused", "unknown", "unsent" for the others.
    fn fates(&mut self) -> Vec<(Token, String)> {
        let text = |fate: Result<Acknowledged, ProduceError>| match fate {
            Ok(acked) => acked.offset.to_string(),
            Err(ProduceError::Refused { .. }) => "refused".to_owned(),
            Err(ProduceError::Unknown { .. }) => "unknown".to_owned(),
            Err(_) => "unsent".to_owned(),
        };
        self.batches.take_fates().into_iter().map(|(token, fate)| (token, text(fate))).collect()
    }
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn sequence(batch: &Outbound) -> (i64, i32) {
    let header = BatchHeader::parse(&batch.batch).unwrap();
    (header.producer_id, header.base_sequence)
}

fn refused(code: ErrorCode) -> Answer {
    Answer::Refused(ApiError::of(code))
}

fn failed(sent: bool) -> Answer {
    Answer::Failed { sent, reason: "gone".to_owned() }
}

#[test]
fn sequences_count_records() {
    let mut script = Script::new(|_| {});
    script.append("a");
    script.append("b");
    let first = script.send(FIRST).unwrap();
    assert_eq!(sequence(&first), (7, 0));
    script.written(&first, 40);
    assert_eq!(script.fates(), [(1, "40".to_owned()), (2, "41".to_owned())]);
    let second = script.append_and_send("c");
    assert_eq!(sequence(&second), (7, 2));
}

#[test]
fn a_partition_has_one_batch_in_flight_until_the_broker_knows_the_producer() {
    let mut script = Script::new(|_| {});
    let first = script.append_and_send("a");
    script.append("b");
    assert_eq!(script.send(FIRST), None);
    script.written(&first, 0);
    for value in ["c", "d", "e", "f", "g", "h"] {
        script.append(value);
        let _ = script.send(FIRST);
    }
    script.append("i");
    assert_eq!(script.send(FIRST), None, "no more than five in flight");
}

#[test]
fn batches_linger_unless_full_or_flushed() {
    let mut script = Script::new(|options| {
        options.linger_ms = 50;
        options.batch_bytes = 200;
    });
    script.append("a");
    assert_eq!(script.send(FIRST), None);
    assert_eq!(script.batches.next_wakeup(), Some(50));
    script.batches.flush(1);
    assert!(script.send(FIRST).is_some());

    let mut script = Script::new(|options| {
        options.linger_ms = 50;
        options.batch_bytes = 200;
    });
    script.append(&"x".repeat(90));
    script.append(&"y".repeat(90));
    assert!(script.send(FIRST).is_some(), "a second batch was begun");
    script.now = 50;
    assert_eq!(script.send(FIRST), None, "one in flight at first");
}

#[test]
fn what_failed_together_is_sent_again_in_order() {
    let mut script = Script::new(|_| {});
    let zero = script.append_and_send("0");
    script.written(&zero, 0);
    let one = script.append_and_send("1");
    let two = script.append_and_send("2");
    // The leader dies; the answers of the connection come in any order.
    script.answer(&two, FIRST, failed(true));
    script.answer(&one, FIRST, failed(true));
    assert_eq!(script.send(FIRST), None, "backing off from the same leader");
    let again = script.send(SECOND).unwrap();
    assert_eq!(sequence(&again), (7, 1));
    assert_eq!(again.batch, one.batch, "the same bytes");
    assert_eq!(script.send(SECOND), None, "alone, as long as it is unanswered");
    script.answer(&again, SECOND, Answer::Written { base_offset: 1, log_append_time: -1 });
    assert_eq!(sequence(&script.send(SECOND).unwrap()), (7, 2));
}

#[test]
fn a_follower_out_of_order_waits_for_its_predecessor() {
    let mut script = Script::new(|_| {});
    let zero = script.append_and_send("0");
    script.written(&zero, 0);
    let one = script.append_and_send("1");
    let two = script.append_and_send("2");
    script.answer(&one, FIRST, refused(ErrorCode::NotEnoughReplicas));
    script.answer(&two, FIRST, refused(ErrorCode::OutOfOrderSequenceNumber));
    script.now = 100;
    let again = script.send(FIRST).unwrap();
    assert_eq!(sequence(&again), (7, 1));
    script.written(&again, 1);
    assert_eq!(sequence(&script.send(FIRST).unwrap()), (7, 2));
    assert!(script.fates().iter().all(|(_, fate)| fate.parse::<i64>().is_ok()));
}

#[test]
fn a_duplicate_was_written() {
    let mut script = Script::new(|_| {});
    let one = script.append_and_send("1");
    script.answer(&one, FIRST, refused(ErrorCode::DuplicateSequenceNumber));
    assert_eq!(script.fates(), [(1, "-1".to_owned())]);
}

#[test]
fn what_may_have_been_written_never_goes_out_under_another_id() {
    let mut script = Script::new(|options| options.delivery_timeout_ms = 1_000);
    let zero = script.append_and_send("0");
    script.written(&zero, 0);
    script.fates();
    let one = script.append_and_send("1");
    let two = script.append_and_send("2");
    script.answer(&one, FIRST, failed(true));
    script.answer(&two, FIRST, failed(true));
    script.now = 999;
    script.append("3");
    script.now = 1_000;
    // The delivery timeout of 1 and 2 is over; 3 was never sent.
    assert!(script.batches.drain(script.now, |_| NOBODY).is_empty());
    assert_eq!(script.fates(), [(2, "unknown".to_owned()), (3, "unknown".to_owned())]);
    assert_eq!(script.send(SECOND), None);
    assert!(script.batches.wants_identity());
    script.batches.set_identity(Identity { producer_id: 8, producer_epoch: 0 });
    assert_eq!(sequence(&script.send(SECOND).unwrap()), (8, 0));
}

#[test]
fn a_refusal_is_definite_only_if_no_attempt_may_have_been_written() {
    let mut script = Script::new(|_| {});
    let one = script.append_and_send("1");
    script.answer(&one, FIRST, refused(ErrorCode::MessageTooLarge));
    assert_eq!(script.fates(), [(1, "refused".to_owned())]);

    let mut script = Script::new(|options| options.retries = 1);
    let one = script.append_and_send("1");
    script.answer(&one, FIRST, failed(true));
    let again = script.send(SECOND).unwrap();
    script.answer(&again, SECOND, refused(ErrorCode::NotEnoughReplicas));
    assert_eq!(script.fates(), [(1, "unknown".to_owned())]);
}

#[test]
fn a_lost_producer_state_costs_nothing_that_was_not_sent_before() {
    let mut script = Script::new(|_| {});
    let one = script.append_and_send("1");
    script.answer(&one, FIRST, refused(ErrorCode::UnknownProducerId));
    script.now = 100;
    assert!(script.batches.wants_identity());
    script.batches.set_identity(Identity { producer_id: 8, producer_epoch: 0 });
    assert_eq!(sequence(&script.send(FIRST).unwrap()), (8, 0));
}

#[test]
fn without_a_leader_records_wait_until_their_time_is_up() {
    let mut script = Script::new(|options| options.delivery_timeout_ms = 1_000);
    script.append("a");
    assert!(script.batches.drain(0, |_| NOBODY).is_empty());
    assert!(script.batches.is_stalled(|_| NOBODY));
    assert!(script.batches.drain(1_000, |_| NOBODY).is_empty());
    assert_eq!(script.fates(), [(1, "unsent".to_owned())]);
    assert!(script.batches.is_empty());
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(advance(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(advance(i32::MAX, 1), 0);
    assert_eq!(advance(i32::MAX - 1, 3), 1);
}
