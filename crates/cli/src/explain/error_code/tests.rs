use super::*;
use crate::diagnosis::Gravity;

#[test]
fn an_error_has_many_names() {
    let expected = explain("NOT_LEADER_OR_FOLLOWER").expect("an error");
    for name in [
        "6",
        "not_leader_or_follower",
        "RD_KAFKA_RESP_ERR_NOT_LEADER_OR_FOLLOWER",
        "NotLeaderOrFollowerException",
        "org.apache.kafka.common.errors.NotLeaderOrFollowerException",
    ] {
        assert_eq!(explain(name).as_ref(), Some(&expected), "{name}");
    }
    assert_eq!(explain("orders"), None);
    assert_eq!(explain("4711"), None);
}

#[test]
fn it_says_whether_to_wait_or_to_act() {
    let finding = explain("NOT_ENOUGH_REPLICAS").expect("an error");
    assert_eq!(finding.gravity, Gravity::Note);
    assert_eq!(
        finding.says,
        "NOT_ENOUGH_REPLICAS (19): fewer replicas are in sync than min.insync.replicas, so acks=all is \
         refused; nothing was written (clients try again by themselves)"
    );
    assert!(finding.advice.expect("advice").contains("ottla explain TOPIC"));
}

#[test]
fn every_error_says_something_in_one_sentence() {
    for code in ErrorCode::ALL {
        let Finding { says, advice, .. } = finding(*code);
        assert!(says.starts_with(code.name()) && says.len() > code.name().len() + 10, "{says}");
        let advice = advice.unwrap_or_else(|| "x.".to_owned());
        assert!(advice.ends_with('.'), "{advice}");
        if let Some((meaning, _)) = words::of(*code) {
            assert!(!meaning.ends_with('.'), "{meaning}");
        }
    }
}
