use crate::TOOLS;

/// Clap itself checks a command: no name twice, no option that cannot be.
#[test]
fn every_table_makes_a_command() {
    for tool in TOOLS {
        tool.command().debug_assert();
        assert_eq!(tool.command().get_name(), tool.name);
    }
}

#[test]
fn options_come_with_their_values_and_words() {
    let topics = TOOLS.iter().find(|tool| tool.name == "kafka-topics").expect("a tool");
    let command = topics.command();
    let arg = command.get_arguments().find(|arg| arg.get_id() == "topic").expect("an option");
    assert_eq!(arg.get_long(), Some("topic"));
    assert_eq!(arg.get_value_names().expect("a value")[0].as_str(), "topic");
    assert!(arg.get_help().expect("words").to_string().contains("regular expression"));
    let quorum = TOOLS.iter().find(|tool| tool.name == "kafka-metadata-quorum").expect("a tool");
    assert!(quorum.command().find_subcommand("describe").is_some());
}
