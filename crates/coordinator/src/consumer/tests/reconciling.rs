use std::sync::Arc;

use ottla_protocol::ids::TopicId;

use super::topic_id;
use crate::assignor::Assignment;
use crate::consumer::member::{Member, MemberAssignment, MemberState, OwnedPartitions};
use crate::consumer::reconcile::{Reconcile, UnknownState};

fn foo() -> TopicId {
    topic_id("foo")
}

fn set(partitions: &[i32]) -> Assignment {
    partitions.iter().map(|partition| (foo(), *partition)).collect()
}

fn member(state: MemberState, epoch: i32, assigned: &[i32], pending: &[i32]) -> Member {
    let mut member = Member::new("m".into());
    member.current = Arc::new(MemberAssignment {
        state,
        epoch,
        previous_epoch: epoch - 1,
        assigned: Arc::new(OwnedPartitions::of(&set(assigned), epoch)),
        pending_revocation: Arc::new(OwnedPartitions::of(&set(pending), epoch)),
    });
    member
}

/// State, epoch, assigned and pending partitions.
type Next = (MemberState, i32, Vec<i32>, Vec<i32>);

struct Case<'a> {
    target: &'a [i32],
    owned: Option<&'a [i32]>,
    held: &'a [i32],
    subscribed: bool,
    changed: bool,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self { target: &[], owned: None, held: &[], subscribed: true, changed: false }
    }
}

impl Case<'_> {
    /// What comes of a step towards epoch 11.
    fn step(&self, member: &Member) -> Result<Option<Next>, UnknownState> {
        let next = Reconcile {
            target_epoch: 11,
            target: &set(self.target),
            subscription_changed: self.changed,
            owned: self.owned.map(set).as_ref(),
            is_subscribed: |_| self.subscribed,
            is_held_by_another: |_, partition| self.held.contains(&partition),
        }
        .step(member)?;
        let list = |owned: &OwnedPartitions| owned.iter().map(|(_, p, _)| p).collect();
        Ok(next.map(|next| {
            (next.state, next.epoch, list(&next.assigned), list(&next.pending_revocation))
        }))
    }
}

#[test]
fn a_stable_member_at_its_target_stays() {
    let member = member(MemberState::Stable, 11, &[1, 2], &[]);
    assert_eq!(Case { target: &[1, 2], ..Case::default() }.step(&member), Ok(None));
}

#[test]
fn what_must_go_goes_before_anything_comes() {
    let at_10 = member(MemberState::Stable, 10, &[1, 2, 3], &[]);
    let case = Case { target: &[3, 4, 5], held: &[5], ..Case::default() };
    let next = case.step(&at_10);
    assert_eq!(next, Ok(Some((MemberState::UnrevokedPartitions, 10, vec![3], vec![1, 2]))));

    let unrevoked = member(MemberState::UnrevokedPartitions, 10, &[3], &[1, 2]);
    assert_eq!(case.step(&unrevoked), Ok(None), "it did not say what it owns");
    let still = Case { owned: Some(&[2, 3]), ..case };
    assert_eq!(still.step(&unrevoked), Ok(None), "it still owns 2");
    let case = Case { target: &[3, 4, 5], held: &[5], owned: Some(&[3]), ..Case::default() };
    let next = case.step(&unrevoked);
    assert_eq!(next, Ok(Some((MemberState::UnreleasedPartitions, 11, vec![3, 4], vec![]))));

    let waiting = member(MemberState::UnreleasedPartitions, 11, &[3, 4], &[]);
    assert_eq!(case.step(&waiting), Ok(None), "5 is still another's");
    let free = Case { target: &[3, 4, 5], ..Case::default() };
    let next = free.step(&waiting);
    assert_eq!(next, Ok(Some((MemberState::Stable, 11, vec![3, 4, 5], vec![]))));
}

#[test]
fn what_the_client_does_not_own_need_not_be_revoked() {
    let at_10 = member(MemberState::Stable, 10, &[1, 2], &[]);
    let next = Case { target: &[2], owned: Some(&[2]), ..Case::default() }.step(&at_10);
    assert_eq!(next, Ok(Some((MemberState::Stable, 11, vec![2], vec![]))));
}

#[test]
fn a_topic_that_is_no_longer_subscribed_to_goes_at_once() {
    let at_11 = member(MemberState::Stable, 11, &[1, 2], &[]);
    let case = Case { target: &[1, 2], subscribed: false, changed: true, ..Case::default() };
    let next = case.step(&at_11);
    assert_eq!(next, Ok(Some((MemberState::UnrevokedPartitions, 11, vec![], vec![1, 2]))));
    let case = Case { owned: Some(&[]), ..case };
    assert_eq!(case.step(&at_11), Ok(Some((MemberState::Stable, 11, vec![], vec![]))));
}

#[test]
fn a_state_of_a_later_version_is_left_empty_handed() {
    let unknown = member(MemberState::Unknown, 10, &[1], &[]);
    let case = Case { target: &[1], ..Case::default() };
    assert_eq!(case.step(&unknown), Err(UnknownState));
    let case = Case { owned: Some(&[]), ..case };
    let next = case.step(&unknown).unwrap().unwrap();
    assert_eq!((next.0, next.1), (MemberState::Stable, 11));
}
