use super::*;

const OPTIONS: &[Opt] = &[
    value("topic", "String: topic", "The topic."),
    value("partitions", "Integer", "How many."),
    value("config", "String: k=v", "A config; may be repeated."),
    flag("list", "List."),
    Opt { name: "codec", argument: Argument::Optional("String"), help: "A codec." },
];

fn given(line: &str) -> Result<Given, OptionError> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    parse(OPTIONS, &args)
}

#[test]
fn values_come_behind_a_blank_or_an_equals_sign() {
    let line = given("--topic a --config x=1 --config=y=2 --list").unwrap();
    assert_eq!(line.one("topic"), Ok(Some("a")));
    assert_eq!(line.all("config").collect::<Vec<_>>(), ["x=1", "y=2"]);
    assert!(line.has("list") && !line.has("partitions"));
}

#[test]
fn names_are_neither_abbreviated_nor_guessed() {
    assert_eq!(given("--top a").unwrap_err().to_string(), "top is not a recognized option");
    assert_eq!(given("-topic a").unwrap_err().to_string(), "t is not a recognized option");
}

#[test]
fn a_missing_value_is_named() {
    assert_eq!(
        given("--list --topic").unwrap_err().to_string(),
        "Option topic requires an argument"
    );
    assert_eq!(given("--topic --list").unwrap().one("topic"), Ok(Some("--list")));
}

#[test]
fn what_may_be_given_once_is_refused_twice() {
    let line = given("--topic a --topic b").unwrap();
    assert_eq!(
        line.one("topic").unwrap_err().to_string(),
        "Found multiple arguments for option topic, but you asked for only one"
    );
}

#[test]
fn numbers_are_checked_when_they_are_wanted() {
    let line = given("--partitions abc").unwrap();
    let error = line.number::<i32>("partitions").unwrap_err();
    assert_eq!(error.to_string(), "Cannot parse argument 'abc' of option partitions");
    assert_eq!(given("--partitions -2").unwrap().number("partitions"), Ok(Some(-2)));
}

#[test]
fn an_optional_value_is_no_option() {
    assert_eq!(given("--codec --list").unwrap().one("codec"), Ok(None));
    assert_eq!(given("--codec zstd").unwrap().one("codec"), Ok(Some("zstd")));
}

#[test]
fn usage_lists_every_option() {
    let text = usage(OPTIONS);
    assert!(OPTIONS.iter().all(|option| text.contains(&format!("--{}", option.name))));
}
