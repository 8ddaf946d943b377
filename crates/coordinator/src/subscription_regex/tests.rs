use super::SubscriptionRegex;

#[test]
fn the_whole_name_must_match() {
    let regex = SubscriptionRegex::compile("a|orders-.*").unwrap();
    assert!(regex.matches("a"));
    assert!(regex.matches("orders-eu"));
    assert!(!regex.matches("ab"));
    assert!(!regex.matches("my-orders-eu"));
}

#[test]
fn what_does_not_compile_is_said_in_one_line() {
    for (regex, reason) in [("[", "unclosed character class"), ("a)(b", "unopened group")] {
        let error = SubscriptionRegex::compile(regex).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.")
        );
    }
    assert!(SubscriptionRegex::compile("(?x)a # comment").is_err());
    assert!(SubscriptionRegex::compile(&"a".repeat(40_000)).is_err());
    assert!(SubscriptionRegex::compile("(((a{100}){100}){100})").is_err());
}
