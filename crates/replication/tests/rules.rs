//! The rules that keep data, each under its name, as plays of one replica.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch};
use ottla_replication::{
    AckOutcome, Admission, Effect, EpochEnd, EpochError, Input, IsrAnswer, IsrProposal, Member,
    NotAdmitted, NotReadable, Offsets, PartitionState, Position, ProducerState, Refused, Replica,
    Role, Rules, Subscription,
};

const ME: BrokerId = 1;
const LAG_MS: i64 = 1000;

/// One replica of brokers 1, 2 and 3 (registered with epochs 11, 12, 13), and a log's history.
struct Play {
    replica: Replica,
    now_ms: i64,
    members: Vec<Member>,
    history: Vec<(LeaderEpoch, Offset)>,
}

fn rules(flush_messages: i64) -> Rules {
    Rules {
        flush_messages,
        min_insync_replicas: 2,
        replica_lag_time_max_ms: LAG_MS,
        producer_id_expiration_ms: i64::MAX,
    }
}

impl Play {
    fn new(flush_messages: i64) -> Self {
        Self::with_log(flush_messages, Offsets::default())
    }

    fn with_log(flush_messages: i64, offsets: Offsets) -> Self {
        let member = |id: BrokerId| Member {
            broker_id: id,
            broker_epoch: i64::from(10 + id),
            eligible: true,
        };
        Self {
            replica: Replica::new(ME, offsets, ProducerState::default(), rules(flush_messages)),
            now_ms: 0,
            members: [1, 2, 3].map(member).to_vec(),
            history: Vec::new(),
        }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.replica.step(self.now_ms, input, &mut effects);
        effects
    }

    fn metadata(
        &mut self,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        isr: &[BrokerId],
    ) -> Vec<Effect> {
        let state = PartitionState {
            leader: Some(leader),
            leader_epoch,
            partition_epoch,
            isr: isr.to_vec(),
            replicas: self.members.clone(),
        };
        self.step(Input::Metadata(state))
    }

    /// It leads in epoch 5, partition epoch 8.
    fn lead(&mut self, isr: &[BrokerId]) -> Vec<Effect> {
        self.history.push((5, self.replica.offsets().log_end));
        self.metadata(ME, 5, 8, isr)
    }

    fn position(&self, follower: BrokerId, attempt: u32, log_end: Offset) -> Position {
        Position {
            follower,
            broker_epoch: BrokerEpoch::from(10 + follower),
            leader_epoch: 5,
            attempt,
            log_end,
            flushed: log_end,
            last_epoch: -1,
        }
    }

    fn subscribe(&mut self, position: Position) -> (Result<Subscription, Refused>, Vec<Effect>) {
        let mut effects = Vec::new();
        let result = self.replica.subscribe(self.now_ms, &position, &self.history, &mut effects);
        (result, effects)
    }

    /// A follower is streamed to from `log_end` on.
    fn follow(&mut self, follower: BrokerId, log_end: Offset) -> Vec<Effect> {
        let (result, effects) = self.subscribe(self.position(follower, 1, log_end));
        assert_eq!(result, Ok(Subscription::Stream));
        effects
    }

    fn at(&mut self, follower: BrokerId, log_end: Offset, flushed: Offset) -> Vec<Effect> {
        self.step(Input::FollowerAt {
            follower,
            broker_epoch: BrokerEpoch::from(10 + follower),
            leader_epoch: 5,
            attempt: 1,
            log_end,
            flushed,
        })
    }

    fn append(&mut self, waiter: Option<u64>) -> Vec<Effect> {
        let Ok(Admission::Append { base_offset, .. }) = self.replica.admit(None, true, 0) else {
            panic!("it should be admitted");
        };
        self.step(Input::Appended { log_end: base_offset + 1, waiter })
    }

    fn high_watermark(&self) -> Offset {
        self.replica.offsets().high_watermark
    }
}

fn proposals(effects: &[Effect]) -> Vec<IsrProposal> {
    let proposal = |effect: &Effect| match effect {
        Effect::ProposeIsr(proposal) => Some(proposal.clone()),
        _ => None,
    };
    effects.iter().filter_map(proposal).collect()
}

const WRITTEN: i64 = i64::MAX;

#[test]
fn an_append_is_acknowledged_once_every_in_sync_replica_has_it() {
    let mut play = Play::new(WRITTEN);
    assert_eq!(play.lead(&[1, 2, 3])[0], Effect::Lead { leader_epoch: 5 });
    play.follow(2, 0);
    play.follow(3, 0);
    assert!(!play.append(Some(7)).contains(&Effect::HighWatermark(1)));
    assert_eq!(play.at(2, 1, 0), []);
    assert_eq!(play.at(3, 1, 0), [Effect::HighWatermark(1), Effect::Ack(7, AckOutcome::Committed)]);
}

#[test]
fn with_flush_messages_1_only_flushed_positions_count_the_leaders_own_too() {
    let mut play = Play::new(1);
    play.lead(&[1, 2, 3]);
    play.follow(2, 0);
    play.follow(3, 0);
    play.append(Some(7));
    assert_eq!(play.at(2, 1, 1), []);
    assert_eq!(play.at(3, 1, 0), []);
    assert_eq!(play.at(3, 1, 1), []);
    assert!(play.replica.wants_flush());
    assert_eq!(
        play.step(Input::Flushed(1)),
        [Effect::HighWatermark(1), Effect::Ack(7, AckOutcome::Committed)]
    );
    assert!(!play.replica.wants_flush());
}

#[test]
fn min_insync_replicas_is_checked_against_the_committed_isr_before_append() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1]);
    let refused = Err(NotAdmitted::NotEnoughReplicas { in_sync: 1, required: 2 });
    assert_eq!(play.replica.admit(None, true, 0), refused);
    // A proposed member does not make the ISR large enough.
    assert_eq!(proposals(&play.follow(2, 0)).len(), 1);
    assert_eq!(play.replica.admit(None, true, 0), refused);
    // acks=1 is taken.
    assert!(play.replica.admit(None, false, 0).is_ok());
    play.metadata(ME, 5, 9, &[1, 2]);
    assert!(play.replica.admit(None, true, 0).is_ok());
}

#[test]
fn the_high_watermark_does_not_advance_below_min_isr() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1]);
    play.step(Input::Appended { log_end: 1, waiter: None });
    assert_eq!(play.high_watermark(), 0);
    play.follow(2, 1);
    assert_eq!(play.high_watermark(), 0);
    assert_eq!(play.metadata(ME, 5, 9, &[1, 2]), [Effect::HighWatermark(1)]);
}

#[test]
fn the_high_watermark_waits_for_the_union_of_committed_and_proposed_isr() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    let wish = proposals(&play.follow(3, 0));
    assert_eq!(wish[0].isr, [(1, 11), (2, 12), (3, 13)]);
    assert_eq!((wish[0].leader_epoch, wish[0].partition_epoch), (5, 8));
    // Broker 3 is only proposed, but the controller may have committed it already.
    play.append(None);
    play.at(2, 1, 1);
    assert_eq!(play.high_watermark(), 0);
    play.at(3, 1, 1);
    assert_eq!(play.high_watermark(), 1);
}

#[test]
fn a_shrink_lowers_nobodys_guarantee_before_it_is_committed() {
    let mut play = Play::new(WRITTEN);
    // Nobody has been heard of yet: that is when it begins to count.
    let effects = play.lead(&[1, 2, 3]);
    assert!(effects.contains(&Effect::WakeAt(LAG_MS + 1)), "{effects:?}");
    play.follow(2, 0);
    play.follow(3, 0);
    play.append(Some(7));
    play.at(2, 1, 1);
    play.now_ms = LAG_MS + 1;
    let wish = proposals(&play.step(Input::Tick));
    assert_eq!(wish[0].isr, [(1, 11), (2, 12)]);
    assert_eq!(play.high_watermark(), 0);
    assert_eq!(
        play.metadata(ME, 5, 9, &[1, 2]),
        [Effect::HighWatermark(1), Effect::Ack(7, AckOutcome::Committed)]
    );
}

#[test]
fn nobody_lags_no_timer() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2, 3]);
    play.follow(2, 0);
    play.follow(3, 0);
    play.append(None);
    play.at(2, 1, 1);
    play.at(3, 1, 1);
    play.now_ms = LAG_MS + 1;
    // The one timer of the append fires and is not set again.
    assert_eq!(play.step(Input::Tick), []);
    play.now_ms = 100 * LAG_MS;
    assert_eq!(play.step(Input::Tick), []);
}

#[test]
fn one_proposal_is_under_way_and_only_the_feed_ends_it() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1]);
    assert_eq!(proposals(&play.follow(2, 0)).len(), 1);
    assert_eq!(proposals(&play.follow(3, 0)), []);
    let taken = Input::IsrAnswered { partition_epoch: 8, answer: IsrAnswer::Taken };
    assert_eq!(proposals(&play.step(taken)), []);
    let committed = |play: &Play| play.replica.as_leader().unwrap().isr().committed().to_vec();
    assert_eq!(committed(&play), [1]);
    // Its end is the beginning of the next one.
    let next = proposals(&play.metadata(ME, 5, 9, &[1, 2]));
    assert_eq!(next[0].isr, [(1, 11), (2, 12), (3, 13)]);
    assert_eq!(next[0].partition_epoch, 9);
}

#[test]
fn a_refused_proposal_is_not_repeated_at_once() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    play.follow(3, 0);
    let refused = Input::IsrAnswered { partition_epoch: 8, answer: IsrAnswer::Refused };
    let effects = play.step(refused);
    assert_eq!(proposals(&effects), []);
    let Some(Effect::WakeAt(at_ms)) = effects.last() else { panic!("{effects:?}") };
    play.now_ms = *at_ms;
    assert_eq!(proposals(&play.step(Input::Tick)).len(), 1);
}

#[test]
fn an_unanswered_proposal_counts_and_is_repeated_until_it_is_settled() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    let first = proposals(&play.follow(3, 0));
    let answered = |answer| Input::IsrAnswered { partition_epoch: 8, answer };
    let effects = play.step(answered(IsrAnswer::Unknown));
    let Some(Effect::WakeAt(at_ms)) = effects.last() else { panic!("{effects:?}") };
    // Broker 3 is fenced meanwhile, but the proposal may have been committed before.
    play.members[2].eligible = false;
    let members = play.members.clone();
    play.step(Input::Members(members));
    play.append(None);
    play.at(2, 1, 1);
    assert_eq!(play.high_watermark(), 0);
    play.now_ms = *at_ms;
    assert_eq!(proposals(&play.step(Input::Tick)), first);
    assert_eq!(play.step(answered(IsrAnswer::Refused))[0], Effect::HighWatermark(1));
}

#[test]
fn fenced_or_shutting_down_replicas_never_enter_the_isr() {
    let mut play = Play::new(WRITTEN);
    play.members[2].eligible = false;
    play.lead(&[1, 2]);
    play.follow(2, 0);
    assert_eq!(proposals(&play.follow(3, 0)), []);
    play.members[2].eligible = true;
    let members = play.members.clone();
    assert_eq!(proposals(&play.step(Input::Members(members))).len(), 1);
}

#[test]
fn a_rebooted_replica_does_not_join_with_its_old_progress() {
    let mut play = Play::new(WRITTEN);
    play.members[2].eligible = false;
    play.lead(&[1, 2]);
    play.follow(2, 0);
    play.follow(3, 0);
    // It is back as another registration: what the old one had reached is void.
    play.members[2] = Member { broker_id: 3, broker_epoch: 99, eligible: true };
    let members = play.members.clone();
    assert_eq!(proposals(&play.step(Input::Members(members))), []);
    assert_eq!(play.at(3, 0, 0), []);
    assert_eq!(play.subscribe(play.position(3, 2, 0)).0, Err(Refused::Stale));
    let (result, effects) = play.subscribe(Position { broker_epoch: 99, ..play.position(3, 1, 0) });
    assert_eq!(result, Ok(Subscription::Stream));
    assert_eq!(proposals(&effects)[0].isr, [(1, 11), (2, 12), (3, 99)]);
}

#[test]
fn a_registration_that_the_metadata_does_not_know_yet_must_wait_for_it() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    let (result, effects) = play.subscribe(Position { broker_epoch: 99, ..play.position(3, 1, 0) });
    assert_eq!(result, Ok(Subscription::Stream));
    assert_eq!(proposals(&effects), []);
    play.members[2].broker_epoch = 99;
    let members = play.members.clone();
    assert_eq!(proposals(&play.step(Input::Members(members))).len(), 1);
}

#[test]
fn progress_of_an_earlier_attempt_or_another_epoch_does_not_count() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    play.append(None);
    assert!(play.subscribe(play.position(2, 2, 0)).0.is_ok());
    assert_eq!(play.at(2, 1, 1), [], "attempt 1 is over");
    let other_epoch = Input::FollowerAt {
        follower: 2,
        broker_epoch: 12,
        leader_epoch: 4,
        attempt: 2,
        log_end: 1,
        flushed: 1,
    };
    assert_eq!(play.step(other_epoch), []);
    assert_eq!(play.high_watermark(), 0);
    assert_eq!(play.subscribe(play.position(2, 1, 0)).0, Err(Refused::Stale));
}

#[test]
fn reports_of_one_subscription_may_overtake_each_other() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    play.append(None);
    play.append(None);
    play.at(2, 2, 2);
    play.at(2, 1, 1);
    let leader = play.replica.as_leader().unwrap();
    assert_eq!(leader.follower_position(2, play.replica.rules()), Some(2));
    // A new subscription may begin lower: its log was cut, and it is not known until it is checked.
    let (result, _) = play.subscribe(play.position(2, 2, 3));
    assert_eq!(result, Err(Refused::OutOfRange));
    let leader = play.replica.as_leader().unwrap();
    assert_eq!(leader.follower_position(2, play.replica.rules()), None);
    assert_eq!(play.subscribe(play.position(2, 3, 1)).0, Ok(Subscription::Stream));
    let leader = play.replica.as_leader().unwrap();
    assert_eq!(leader.follower_position(2, play.replica.rules()), Some(1));
}

#[test]
fn a_follower_is_fenced_by_epoch_and_answered_with_the_diverging_point() {
    let log = Offsets { log_end: 30, flushed: 30, ..Offsets::default() };
    let mut play = Play::with_log(WRITTEN, log);
    play.history = vec![(1, 0), (3, 20)];
    play.lead(&[1, 2, 3]);
    let ask = |play: &mut Play, attempt, leader_epoch, log_end, last_epoch| {
        let position = Position { leader_epoch, last_epoch, ..play.position(2, attempt, log_end) };
        play.subscribe(position).0
    };
    let fenced = EpochError::Fenced { requested: 4, current: 5 };
    assert_eq!(ask(&mut play, 1, 4, 30, 3), Err(fenced.into()));
    let unknown = EpochError::Unknown { requested: 6, current: 5 };
    assert_eq!(ask(&mut play, 1, 6, 30, 3), Err(unknown.into()));
    // Epoch 2 is nowhere in our log: the largest epoch that both may share is 1, which ends at 20.
    let end = |epoch, end_offset| Ok(Subscription::Diverging(EpochEnd { epoch, end_offset }));
    assert_eq!(ask(&mut play, 1, 5, 25, 2), end(1, 20));
    assert_eq!(ask(&mut play, 2, 5, 31, 3), end(3, 30));
    assert_eq!(ask(&mut play, 3, 5, 30, 3), Ok(Subscription::Stream));
    assert_eq!(ask(&mut play, 4, 5, 31, -1), Err(Refused::OutOfRange));
}

#[test]
fn a_follower_whose_epochs_the_leader_has_all_deleted_begins_anew() {
    let log = Offsets { log_start: 20, high_watermark: 30, log_end: 30, flushed: 30 };
    let mut play = Play::with_log(1, log);
    play.history = vec![(2, 20)];
    play.lead(&[1, 2, 3]);
    // Where its epoch 1 ended in the leader's log is not known any more: whether what it holds of it was
    // ever the leader's cannot be told, nor what its producers remember of it.
    for (attempt, log_end) in [(1, 20), (2, 25), (3, 10)] {
        let position = Position { last_epoch: 1, ..play.position(2, attempt, log_end) };
        assert_eq!(play.subscribe(position).0, Err(Refused::OutOfRange), "{log_end}");
    }
    let position = Position { last_epoch: 2, ..play.position(2, 4, 25) };
    assert_eq!(play.subscribe(position).0, Ok(Subscription::Stream));
    // An empty one at the leader's log start has nothing to doubt.
    assert_eq!(play.subscribe(play.position(3, 1, 20)).0, Ok(Subscription::Stream));
}

#[test]
fn a_follower_truncates_before_it_raises_its_high_watermark() {
    let log = Offsets { log_end: 30, flushed: 30, ..Offsets::default() };
    let mut play = Play::with_log(WRITTEN, log);
    let effects = play.metadata(2, 5, 8, &[2, 3]);
    assert_eq!(
        effects,
        [Effect::Step { leader: Some(2) }, Effect::Ask { leader: 2, leader_epoch: 5, attempt: 1 }]
    );
    assert!(play.replica.expects(5, 1));
    let effects = play.step(Input::Truncated { log_end: 20, flushed: 20 });
    assert_eq!(effects, [Effect::Ask { leader: 2, leader_epoch: 5, attempt: 2 }]);
    // What the leader sent to the log as it was before is not wanted any more.
    assert!(!play.replica.expects(5, 1));
    assert!(!play.replica.expects(4, 2));
    // The leader's high watermark is adopted up to our own log end, its log start up to that.
    let effects =
        play.step(Input::Received { log_end: 22, leader_high_watermark: 40, leader_log_start: 35 });
    assert_eq!(
        effects,
        [
            Effect::Progress { leader: 2, leader_epoch: 5, attempt: 2, log_end: 22, flushed: 20 },
            Effect::HighWatermark(22),
            Effect::LogStart(22),
            Effect::Progress { leader: 2, leader_epoch: 5, attempt: 2, log_end: 22, flushed: 20 },
        ]
    );
}

#[test]
fn with_flush_messages_1_a_follower_reports_once_it_has_flushed() {
    let mut play = Play::new(1);
    play.metadata(2, 5, 8, &[1, 2]);
    let effects =
        play.step(Input::Received { log_end: 3, leader_high_watermark: 0, leader_log_start: 0 });
    assert_eq!(effects, []);
    assert!(play.replica.wants_flush());
    let progress =
        Effect::Progress { leader: 2, leader_epoch: 5, attempt: 1, log_end: 3, flushed: 3 };
    assert_eq!(play.step(Input::Flushed(3)), [progress]);
}

#[test]
fn a_new_leader_knows_the_latest_offset_only_once_its_hw_has_passed_its_epochs_start() {
    let log = Offsets { log_end: 30, flushed: 30, high_watermark: 10, log_start: 0 };
    let mut play = Play::with_log(WRITTEN, log);
    play.lead(&[1, 2]);
    assert!(!play.replica.knows_latest());
    let position = Position { last_epoch: 5, ..play.position(2, 1, 30) };
    assert_eq!(play.subscribe(position).0, Ok(Subscription::Stream));
    assert_eq!(play.high_watermark(), 30);
    assert!(play.replica.knows_latest());
}

#[test]
fn waiters_fail_when_the_leadership_is_lost() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.append(Some(1));
    play.append(Some(2));
    let effects = play.metadata(2, 6, 9, &[2]);
    assert_eq!(effects[..2], [1, 2].map(|token| Effect::Ack(token, AckOutcome::NotLeader)));
    assert_eq!(play.replica.admit(None, false, 0), Err(NotAdmitted::NotLeader));
}

#[test]
fn waiters_survive_a_new_epoch_of_the_same_leader() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.append(Some(1));
    assert_eq!(play.metadata(ME, 6, 9, &[1, 2])[0], Effect::Lead { leader_epoch: 6 });
    let position = Position { leader_epoch: 6, last_epoch: 5, ..play.position(2, 1, 1) };
    let (_, effects) = play.subscribe(position);
    assert!(effects.contains(&Effect::Ack(1, AckOutcome::Committed)));
}

#[test]
fn waiters_fail_after_the_append_when_the_isr_falls_below_the_minimum() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.append(Some(1));
    let outcome = AckOutcome::NotEnoughReplicasAfterAppend;
    assert!(play.metadata(ME, 5, 9, &[1]).contains(&Effect::Ack(1, outcome)));
    assert_eq!(play.high_watermark(), 0);
}

#[test]
fn a_duplicate_waits_for_the_original() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    play.follow(2, 0);
    play.append(Some(1));
    play.append(Some(2));
    play.step(Input::Await { offset: 1, waiter: 3 });
    let acks = play.at(2, 1, 1);
    assert!(acks.contains(&Effect::Ack(3, AckOutcome::Committed)), "{acks:?}");
    assert!(!acks.contains(&Effect::Ack(2, AckOutcome::Committed)), "{acks:?}");
}

#[test]
fn older_metadata_is_ignored() {
    let mut play = Play::new(WRITTEN);
    play.lead(&[1, 2]);
    assert_eq!(play.metadata(2, 4, 7, &[2]), []);
    assert_eq!(play.metadata(ME, 5, 7, &[1, 3]), []);
    assert_eq!(play.replica.as_leader().unwrap().isr().committed(), [1, 2]);
}

#[test]
fn a_failed_flush_ends_the_service_for_good() {
    let mut play = Play::new(1);
    play.lead(&[1, 2]);
    play.append(Some(1));
    let effects = play.step(Input::StorageFailed);
    assert_eq!(effects, [Effect::Ack(1, AckOutcome::Storage), Effect::Step { leader: None }]);
    assert_eq!(play.metadata(ME, 7, 10, &[1, 2]), []);
    assert!(matches!(play.replica.role(), Role::Failed { leader_epoch: 7 }));
    assert_eq!(play.replica.admit(None, false, 0), Err(NotAdmitted::NotLeader));
}

#[test]
fn a_consumer_is_checked_like_a_follower() {
    let log = Offsets { log_start: 5, log_end: 30, flushed: 30, high_watermark: 10 };
    let mut play = Play::with_log(WRITTEN, log);
    play.history = vec![(1, 0), (3, 20)];
    play.lead(&[1, 2]);
    let read = |epoch, last, offset| play.replica.check_read(epoch, last, offset, &play.history);
    assert!(read(Some(5), Some(3), 25).is_ok_and(|bounds| bounds.diverging.is_none()));
    let diverging = Some(EpochEnd { epoch: 1, end_offset: 20 });
    assert_eq!(read(None, Some(2), 25).map(|bounds| bounds.diverging), Ok(diverging));
    assert_eq!(read(None, None, 4), Err(NotReadable::OutOfRange));
    assert_eq!(read(None, None, 31), Err(NotReadable::OutOfRange));
    // Between the high watermark and the log's end there is nothing to read, and nothing wrong.
    assert!(read(None, None, 20).is_ok());
    assert!(matches!(read(Some(6), None, 20), Err(NotReadable::Epoch(_))));
}

#[test]
#[should_panic(expected = "chain of offsets")]
fn a_broken_chain_of_offsets_stops_everything() {
    Offsets { log_start: 0, high_watermark: 5, log_end: 4, flushed: 0 }.assert_chain();
}

#[test]
fn a_deletion_waits_until_every_live_replica_begins_there() {
    let mut play = Play::new(1);
    play.lead(&[1, 2]);
    let begins = |follower, log_start| Input::FollowerLogStart {
        follower,
        broker_epoch: BrokerEpoch::from(10 + follower),
        log_start,
    };
    for _ in 0..3 {
        play.append(None);
    }
    play.step(Input::Flushed(3));
    for follower in [2, 3] {
        play.follow(follower, 3);
        play.step(begins(follower, 0));
    }
    assert_eq!(play.high_watermark(), 3);
    let waits = |token| Input::AwaitLogStart { offset: 2, waiter: token };
    let done = |token| [Effect::Ack(token, AckOutcome::Committed)];
    play.step(Input::LogStart(2));
    assert_eq!(play.step(waits(7)), []);
    assert_eq!(play.step(begins(2, 2)), []);
    assert_eq!(play.replica.low_watermark(), 0);
    // Not in sync, but alive: it counts. Of an older registration it does not.
    assert_eq!(
        play.step(Input::FollowerLogStart { follower: 3, broker_epoch: 1, log_start: 9 }),
        []
    );
    assert_eq!(play.step(begins(3, 2)), done(7));
    assert_eq!(play.replica.low_watermark(), 2);
    assert_eq!(play.step(waits(8)), done(8));
    // Nobody waits for the dead; and not for one who does not lead any more.
    play.step(Input::LogStart(3));
    let waits = |token| Input::AwaitLogStart { offset: 3, waiter: token };
    assert_eq!(play.step(waits(9)), []);
    assert_eq!(play.step(begins(2, 3)), []);
    let member = |id: BrokerId, eligible| Member {
        broker_id: id,
        broker_epoch: BrokerEpoch::from(10 + id),
        eligible,
    };
    let members = vec![member(1, true), member(2, true), member(3, false)];
    assert!(play.step(Input::Members(members)).contains(&done(9)[0]));
    play.step(Input::AwaitLogStart { offset: 4, waiter: 10 });
    let effects = play.metadata(2, 6, 9, &[2]);
    assert!(effects.contains(&Effect::Ack(10, AckOutcome::NotLeader)));
}
