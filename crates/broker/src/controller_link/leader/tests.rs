use ottla_config::{HostPort, Voter};
use ottla_rpc::status::not_active;
use tonic::Status;

use super::Leader;

fn leader() -> Leader {
    let voter = |id| Voter { id, host: "127.0.0.1".to_owned(), port: 1 };
    let controller = HostPort { host: "127.0.0.1".to_owned(), port: 1 };
    let controllers = [controller.clone(), controller.clone(), controller];
    Leader::new(&[voter(1), voter(2), voter(3)], &controllers).expect("addresses")
}

#[tokio::test]
async fn newer_terms_win_and_older_ones_are_old_news() {
    let leader = leader();
    leader.heard(1, 5);
    assert_eq!(leader.id(), Some(1));
    leader.heard(2, 4);
    assert_eq!(leader.id(), Some(1));
    leader.heard(-1, 6);
    assert_eq!(leader.id(), None);
    leader.heard(1, 5);
    assert_eq!(leader.id(), None);
    leader.heard(3, 6);
    assert_eq!(leader.id(), Some(3));
}

#[tokio::test]
async fn a_failed_call_is_followed_to_whom_it_names() {
    let leader = leader();
    leader.heard(1, 1);
    assert!(leader.judge(1, &not_active(Some(2))));
    assert_eq!(leader.id(), Some(2));
    assert!(leader.judge(2, &not_active(Some(2))), "not active yet");
    assert_eq!(leader.id(), None);
    leader.heard(3, 2);
    assert!(!leader.judge(1, &Status::unavailable("gone")), "of an earlier leader");
    assert_eq!(leader.id(), Some(3));
    assert!(!leader.judge(3, &Status::unavailable("gone")));
    assert_eq!(leader.id(), None);
}
