use super::*;

fn at(host: &str) -> HostPort {
    HostPort { host: host.to_owned(), port: 9092 }
}

fn answers(cluster_id: &str, id: i32) -> Dialled {
    Dialled::Spoke(Spoken::Broker { cluster_id: Some(cluster_id.to_owned()), id: Some(id) })
}

/// What is said of broker 2 of cluster c at an address, reached by `kafka.example.org`.
fn said(host: &str, dialled: &Dialled) -> String {
    let finding = broker(2, &at(host), dialled, "c", Some("kafka.example.org"));
    [Some(finding.says), finding.advice, finding.key.map(str::to_owned)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_address_that_works_is_well() {
    assert_eq!(
        said("kafka2.example.org", &answers("c", 2)),
        "broker 2 answers at kafka2.example.org:9092, its advertised address"
    );
}

#[test]
fn localhost_is_the_clients_own_machine() {
    let expected = "broker 2 sends its clients to localhost:9092, which is each client's own machine, \
                    not the broker's\nChange advertised.listeners of broker 2: kafka.example.org is how \
                    you have reached it.\nadvertised.listeners";
    assert_eq!(said("localhost", &Dialled::Refused), expected);
    // Even if a broker answers there by chance.
    assert_eq!(said("localhost", &answers("c", 2)), expected);
    // Not so for somebody who sits on that machine.
    let here = broker(2, &at("localhost"), &answers("c", 2), "c", Some("127.0.0.1"));
    assert!(here.key.is_none(), "{here:?}");
}

#[test]
fn somebody_elses_answer_does_not_count() {
    assert!(said("a.b", &answers("other", 2)).contains("another cluster (other) answers"));
    assert_eq!(
        said("a.b", &answers("c", 1)),
        "broker 2 sends its clients to a.b:9092, where broker 1 answers\nChange advertised.listeners of \
         broker 2: each broker needs an address of its own.\nadvertised.listeners"
    );
    let controller = said("a.b", &Dialled::Spoke(Spoken::Controller));
    assert!(controller.contains("which is a controller's port"), "{controller}");
}

#[test]
fn a_containers_name_or_address_is_recognised() {
    let name = said("kafka-2", &Dialled::Unresolvable);
    assert!(
        name.starts_with(
            "broker 2 sends its clients to kafka-2:9092, and the name kafka-2 cannot be resolved from \
             here (a container's or pod's name is known inside its network only)"
        ),
        "{name}"
    );
    assert!(!said("kafka-2.example.org", &Dialled::Unresolvable).contains("container"));
    let silent = Dialled::Silent { connected: false };
    assert!(said("172.18.0.3", &silent).contains("a container's inner address"));
    assert!(!said("10.0.0.3", &silent).contains("container"));
}

#[test]
fn listeners_of_another_protocol_are_told_by_name() {
    for (spoken, word) in [
        (Spoken::Tls, "TLS is spoken there"),
        (Spoken::Sasl, "only clients that authenticate"),
        (Spoken::Http, "a web server"),
        (Spoken::Closed, "without a word"),
        (Spoken::Unknown, "does not speak Kafka's protocol"),
    ] {
        let dialled = Dialled::Spoke(spoken);
        assert!(said("a.b", &dialled).contains(word), "{}", said("a.b", &dialled));
        assert!(bootstrap(&at("a.b"), &dialled).says.contains(word));
    }
}

#[test]
fn bootstrap_servers_are_the_users_to_correct() {
    let finding = bootstrap(&at("kafka"), &Dialled::Unresolvable);
    assert_eq!(finding.says, "kafka:9092: the name kafka cannot be resolved from here");
    assert!(finding.advice.expect("advice").starts_with("Correct --bootstrap-server"));
    let controller = bootstrap(&at("kafka"), &Dialled::Spoke(Spoken::Controller));
    assert_eq!(controller.key, Some("controller.listener.names"));
}
