//! Texts as recorded from Apache Kafka 4.3.1.

use std::ffi::OsString;

use ottla_client::admin::{GroupListing, GroupState, GroupType};

use super::options::{Misuse, OPTIONS, check};
use super::{Filter, render};
use crate::jopt;

fn checked(line: &str) -> Result<Filter, String> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let given = jopt::parse(OPTIONS, &args).unwrap();
    check(&given).map_err(|misuse| match misuse {
        Misuse::Usage(message) => message,
        Misuse::Thrown(failure) => failure.thrown(),
        Misuse::Version => "version".to_owned(),
    })
}

#[test]
fn options_that_do_not_fit_are_named_as_kafka_names_them() {
    for (line, message) in [
        ("", "Missing required option(s) [bootstrap-server]"),
        ("--list", "Missing required option(s) [bootstrap-server]"),
        ("--bootstrap-server a:1", "Command must include exactly one action: --list."),
        (
            "--bootstrap-server a:1 --list --group-type bogus",
            "java.lang.IllegalArgumentException: --group-type must be a valid group type.",
        ),
        (
            "--bootstrap-server a:1 --list --consumer --share",
            "Option \"[consumer]\" can't be used with option \"[share]\"",
        ),
    ] {
        assert_eq!(checked(line), Err(message.to_owned()), "{line}");
    }
}

fn groups() -> Vec<GroupListing> {
    let group = |id: &str, kind, protocol: &str| GroupListing {
        group_id: id.to_owned(),
        protocol_type: protocol.to_owned(),
        state: Some(GroupState::Empty),
        group_type: Some(kind),
    };
    vec![
        group("console-consumer-38666", GroupType::Classic, "consumer"),
        group("g-live-848", GroupType::Consumer, "consumer"),
        group("g-share", GroupType::Share, "share"),
        group("offsets-only", GroupType::Classic, ""),
        group("workers", GroupType::Classic, "connect"),
    ]
}

#[test]
fn filters_choose_by_type_and_protocol() {
    for (line, chosen) in [
        ("", "console-consumer-38666 g-live-848 g-share offsets-only workers"),
        ("--consumer", "console-consumer-38666 g-live-848 offsets-only"),
        ("--share", "g-share"),
        ("--streams", ""),
        ("--group-type Classic", "console-consumer-38666 offsets-only workers"),
        ("--group-type classic --protocol connect", "workers"),
        ("--protocol consumer", "console-consumer-38666 g-live-848"),
    ] {
        let filter = checked(&format!("--bootstrap-server a:1 --list {line}")).unwrap();
        let groups = groups();
        let shown = groups.iter().filter(|group| filter.shows(group));
        let ids: Vec<_> = shown.map(|group| group.group_id.as_str()).collect();
        assert_eq!(ids.join(" "), chosen, "{line}");
    }
}

#[test]
fn every_column_is_as_wide_as_the_widest_cell() {
    assert_eq!(
        render(&groups()[..2], &Filter::All),
        "GROUP                  TYPE                   PROTOCOL              \n\
         console-consumer-38666 Classic                consumer               \n\
         g-live-848             Consumer               consumer               \n"
    );
    assert_eq!(
        render(&groups(), &Filter::Type(GroupType::Streams, None)),
        "GROUP                TYPE                 PROTOCOL            \n"
    );
}
