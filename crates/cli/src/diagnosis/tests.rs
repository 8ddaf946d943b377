use super::*;

#[test]
fn findings_are_a_line_each_with_the_advice_below() {
    let findings =
        [Finding::ok("broker 1 answers"), Finding::problem("broker 2 is down").advise("Start it.")];
    let plain = anstream::adapter::strip_str(&text(&findings)).to_string();
    assert_eq!(
        plain,
        "ok       broker 1 answers\nproblem  broker 2 is down\n         → Start it.\n"
    );
    assert!(text(&findings).contains("\x1b[31m"), "problems are red");
}

#[test]
fn json_holds_the_verdict_and_what_to_change() {
    let findings =
        [Finding::problem("out of reach").advise("Change it.").key("advertised.listeners")];
    let value: serde_json::Value = serde_json::from_str(&json(&findings)).expect("JSON");
    assert_eq!(
        value,
        serde_json::json!({
            "ok": false,
            "findings": [{
                "gravity": "problem",
                "says": "out of reach",
                "do": "Change it.",
                "key": "advertised.listeners",
            }],
        })
    );
    assert!(json(&[Finding::warning("x")]).contains(r#""ok":true"#));
}

#[test]
fn lists_read_as_a_sentence() {
    assert_eq!(brokers(&[2]), "broker 2");
    assert_eq!(brokers(&[1, 2, 3]), "brokers 1, 2 and 3");
    assert_eq!(count(1, "partition"), "1 partition");
    assert_eq!(count(0, "partition"), "0 partitions");
}

#[test]
fn a_slip_of_the_finger_is_recognised() {
    let known = ["orders", "payments", "email.send"];
    assert_eq!(similar("order", known), ["orders"]);
    assert_eq!(similar("EMAIL_SEND", known), ["email.send"]);
    assert!(similar("zzz", known).is_empty());
}

#[test]
fn many_names_are_counted() {
    let names: Vec<String> = (0..20).map(|n| format!("t-{n}")).collect();
    assert_eq!(listed(&names), "t-0, t-1, t-2, t-3, t-4, t-5, t-6, t-7 and 12 more");
    assert_eq!(listed(&names[..2]), "t-0 and t-1");
}
