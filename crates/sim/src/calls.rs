//! ISR proposals on their way to the controller, one call of a broker at a time, tried again until it is
//! answered or its time is over.

use ottla_metadata::plan;
use ottla_metadata::proposal::{AlterPartition, IsrMember, Outcome, Proposal, Proposer, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::BrokerEpoch;
use ottla_replication::{Input, IsrAnswer, PartitionState};

use crate::event::{Event, Life, Wish};
use crate::invariants;
use crate::sabotage::Sabotage;
use crate::world::{CONTROLLER, World};

const ANSWER_TIMEOUT_US: u64 = 400_000;
/// A proposal that comes twice, comes this much later the second time.
const DUPLICATE_US: u64 = 900_000;
const TRY_AGAIN_US: u64 = 60_000;

impl World {
    /// Makes the next call, if none is under way.
    pub(crate) fn propose(&mut self, life: Life) {
        let forgets = self.sabotage == Some(Sabotage::ForgetBrokerEpochs);
        let topic_id = self.topic_id;
        let Some(process) = self.process_mut(life) else { return };
        if process.call.is_some() || process.wishes.is_empty() {
            return;
        }
        process.calls += 1;
        let call = process.calls;
        let batch: Vec<Wish> = process.wishes.drain(..).collect();
        let epoch = process.session_epoch.unwrap_or(-1);
        process.call = Some((call, batch.clone()));
        let member = |&(broker_id, broker_epoch): &(i32, i64)| IsrMember {
            broker_id,
            broker_epoch: if forgets { -1 } else { broker_epoch },
        };
        let wishes: Vec<AlterPartition> = batch
            .iter()
            .map(|(partition, wish)| AlterPartition {
                id: ottla_protocol::ids::TopicIdPartition::new(topic_id, *partition),
                leader_epoch: wish.leader_epoch,
                partition_epoch: wish.partition_epoch,
                new_isr: wish.isr.iter().map(member).collect(),
            })
            .collect();
        let event = Event::ProposalArrives { life, call, epoch, wishes };
        if self.swarm.bad_calls && !self.healing && self.dice.one_in(4) {
            let delay = self.dice.between(0, DUPLICATE_US);
            self.after(delay, event.clone());
        }
        self.call(life.broker, CONTROLLER, event);
        self.after(ANSWER_TIMEOUT_US, Event::ProposalTimedOut { life, call });
        if self.sabotage == Some(Sabotage::ForgetPending) {
            for (partition, wish) in batch {
                let (partition_epoch, answer) = (wish.partition_epoch, IsrAnswer::Refused);
                self.step(life, partition, Input::IsrAnswered { partition_epoch, answer });
            }
        }
    }

    pub(crate) fn on_proposal(
        &mut self,
        life: Life,
        call: u64,
        epoch: BrokerEpoch,
        wishes: &[AlterPartition],
    ) {
        if self.is_leaderless() {
            // The broker asks whoever comes next.
            if self.process(life).is_some_and(|it| it.call.as_ref().is_some_and(|it| it.0 == call))
            {
                let wishes = wishes.to_vec();
                self.after(TRY_AGAIN_US, Event::ProposalArrives { life, call, epoch, wishes });
            }
            return;
        }
        let proposer = Proposer { broker_id: life.broker, broker_epoch: epoch };
        let proposal = Proposal::AlterPartitions(wishes.to_vec());
        let (image, limits) = (self.quorum.image().clone(), self.quorum.limits());
        let plan = plan::propose(&image, limits, 0, proposer, &proposal);
        let Reply::AlterPartitions(outcomes) = plan.reply else { return };
        if self.sabotage != Some(Sabotage::ForgetBrokerEpochs) {
            for (wish, outcome) in wishes.iter().zip(&outcomes) {
                if outcome.is_ok() {
                    self.judge("I16", invariants::i16_members_are_present(&image, wish));
                }
            }
        }
        self.commit(plan.records);
        if !(self.swarm.bad_calls && !self.healing && self.dice.one_in(4)) {
            self.call(CONTROLLER, life.broker, Event::ProposalAnswered { life, call, outcomes });
        }
    }

    /// `None`: it is waited for no longer.
    pub(crate) fn on_proposal_answer(
        &mut self,
        life: Life,
        call: u64,
        outcomes: Option<Vec<Outcome>>,
    ) {
        let Some(process) = self.process_mut(life) else { return };
        let Some((_, batch)) = process.call.take_if(|under_way| under_way.0 == call) else {
            return;
        };
        let answers = outcomes.into_iter().flatten().map(answer);
        let answers = answers.chain(std::iter::repeat(IsrAnswer::Unknown));
        for ((partition, wish), answer) in batch.into_iter().zip(answers) {
            if answer == IsrAnswer::Taken && self.sabotage == Some(Sabotage::ApplyFromAnswer) {
                self.apply_from_answer(life, partition, &wish);
            }
            let partition_epoch = wish.partition_epoch;
            self.step(life, partition, Input::IsrAnswered { partition_epoch, answer });
        }
        self.after(0, Event::Propose(life));
    }

    fn apply_from_answer(
        &mut self,
        life: Life,
        partition: i32,
        wish: &ottla_replication::IsrProposal,
    ) {
        let isr: Vec<i32> = wish.isr.iter().map(|(id, _)| *id).collect();
        let replicas = wish.isr.iter().map(|&(broker_id, broker_epoch)| {
            ottla_replication::Member { broker_id, broker_epoch, eligible: true }
        });
        let state = PartitionState {
            leader: Some(life.broker),
            leader_epoch: wish.leader_epoch,
            partition_epoch: wish.partition_epoch + 1,
            isr,
            replicas: replicas.collect(),
        };
        self.step(life, partition, Input::Metadata(state));
    }
}

/// As the brokers' shell reads it.
fn answer(outcome: Outcome) -> IsrAnswer {
    match outcome.map_err(|refusal| refusal.code) {
        Ok(()) => IsrAnswer::Taken,
        Err(
            ErrorCode::InvalidUpdateVersion
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::NewLeaderElected
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicId
            | ErrorCode::UnknownTopicOrPartition,
        ) => IsrAnswer::Superseded,
        Err(ErrorCode::StaleBrokerEpoch | ErrorCode::NotController) => IsrAnswer::Unknown,
        Err(_) => IsrAnswer::Refused,
    }
}
