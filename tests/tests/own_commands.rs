//! Our own commands: what is wrong and why (`explain`, `doctor`), completion, manual pages, JSON.

use std::fs;
use std::process::Command;

use ottla_tests::{Cluster, Output, binary, free_ports, run, tool, wait};
use serde_json::Value;

fn explain(bootstrap: &str, what: &[&str]) -> Output {
    let server = ["--bootstrap-server", bootstrap, "--timeout-ms", "5000"];
    run(tool("explain").args(server).args(what), "")
}

fn doctor(bootstrap: &str) -> (Option<i32>, Value) {
    let server = ["--json", "--bootstrap-server", bootstrap, "--timeout-ms", "5000"];
    let output = run(tool("doctor").args(server), "");
    let findings = serde_json::from_str(&output.out)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", output.out, output.err));
    (output.status.code(), findings)
}

/// The finding that says so.
fn finding<'a>(findings: &'a Value, says: &str) -> &'a Value {
    let list = findings["findings"].as_array().expect("a list");
    list.iter()
        .find(|finding| finding["says"].as_str().expect("a text").contains(says))
        .unwrap_or_else(|| panic!("nobody says \"{says}\": {findings:#}"))
}

fn create(bootstrap: &str, args: &[&str]) {
    let server = ["--bootstrap-server", bootstrap, "--create"];
    let _ = run(tool("kafka-topics").args(server).args(args), "").success();
}

/// Waits until a command has said a text, whatever its exit code.
async fn until_said(text: &str, ask: impl Fn() -> Output) -> Output {
    wait::until(text, async || {
        let output = ask();
        if output.out.contains(text) { Ok(output) } else { Err(output.out) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_explained_where_no_group_can_be_asked_for() {
    let mut cluster = Cluster::three().await;
    let first = cluster.address(1);
    create(&cluster.bootstrap(), &["--topic", "orders", "--replica-assignment", "1:2:3"]);
    let known = || explain(&first, &["orders", "--kind", "topic"]);
    let _ = until_said("orders (1 partition)", known).await;
    // Nobody can make __consumer_offsets now, and so there is no coordinator.
    cluster.node(2).kill();
    cluster.node(3).kill();
    let impatient = ["--bootstrap-server", &first, "--timeout-ms", "2000", "orders"];
    let output = run(tool("explain").args(impatient), "");
    assert!(output.out.contains("can be written and read"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_broker_costs_is_explained() {
    let mut cluster = Cluster::three().await;
    let (bootstrap, first) = (cluster.bootstrap(), cluster.address(1));
    let everywhere = ["--replica-assignment", "1:2:3", "--config", "min.insync.replicas=2"];
    create(&bootstrap, &[&["--topic", "orders"], &everywhere[..]].concat());
    create(&bootstrap, &["--topic", "solo", "--replica-assignment", "3"]);
    let read = ["--topic", "orders", "--group", "mail", "--timeout-ms", "3000"];
    let console = ["--bootstrap-server", &bootstrap];
    let _ = run(tool("kafka-console-consumer").args(console).args(read), "");

    let _ = until_said("broker 3 answers", || explain(&first, &["3"])).await.success();
    let orders = explain(&first, &["orders"]).success().out;
    assert!(orders.contains("orders (1 partition) can be written and read"), "{orders}");
    let group = explain(&first, &["mail"]).success().out;
    assert!(group.contains("mail has no members"), "{group}");
    let slip = explain(&first, &["order"]).failure().out;
    assert!(slip.contains("Did you mean orders?"), "{slip}");
    let (code, findings) = doctor(&bootstrap);
    assert_eq!((code, &findings["ok"]), (Some(0), &Value::Bool(true)), "{findings:#}");
    let _ = finding(&findings, "each has a leader and all its replicas in sync");

    cluster.node(3).kill();
    let dead = "solo-0 can be neither written nor read: there is no leader; only broker 3 has all its \
                records, and it is down";
    let solo = until_said(dead, || explain(&first, &["solo/0"])).await.failure().out;
    assert!(solo.contains("Start broker 3: no other replica is live."), "{solo}");
    let thin = "orders-0 can be written and read, but broker 3 is down; one more loss";
    let _ = until_said(thin, || explain(&first, &["orders"])).await.success();
    let broker = explain(&first, &["3"]).failure().out;
    assert!(broker.contains("broker 3 is down: nothing answers at"), "{broker}");
    let (code, findings) = doctor(&bootstrap);
    assert_eq!(code, Some(1), "{findings:#}");
    let down = finding(&findings, "broker 3 is down");
    assert_eq!(down["gravity"], "problem");
    assert!(down["do"].as_str().expect("advice").starts_with("Start broker 3"), "{down}");
    let _ = finding(&findings, "nobody listens there");
    let _ = finding(&findings, "solo-0 can be neither written nor read");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_nowhere_is_named_with_its_key() {
    let wrong = "PLAINTEXT://no-such-host.invalid:9092";
    let cluster = Cluster::builder().brokers(1).set("advertised.listeners", wrong).start().await;
    let (code, findings) = doctor(&cluster.address(1));
    assert_eq!(code, Some(1), "{findings:#}");
    let _ = finding(&findings, "answers as a broker");
    let lost = finding(&findings, "the name no-such-host.invalid cannot be resolved from here");
    assert_eq!(lost["key"], "advertised.listeners");
    let topic = explain(&cluster.address(1), &["1"]).failure().out;
    assert!(topic.contains("Change advertised.listeners of broker 1"), "{topic}");

    // The test's builder gives the controller the port behind the broker's.
    let (_, port) = cluster
        .address(1)
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.parse::<u16>().expect("a port")))
        .expect("host:port");
    let (code, findings) = doctor(&format!("localhost:{}", port + 1));
    assert_eq!(code, Some(1), "{findings:#}");
    let _ = finding(&findings, "is a controller's port, which serves no clients");
}

#[test]
fn nobody_there_is_an_answer_too() {
    let nobody = format!("localhost:{}", free_ports(1)[0]);
    let (code, findings) = doctor(&nobody);
    assert_eq!(code, Some(1));
    let _ = finding(&findings, "nobody listens there");
    let error = explain(&nobody, &["NOT_ENOUGH_REPLICAS"]).success().out;
    assert!(error.contains("fewer replicas are in sync than min.insync.replicas"), "{error}");
    let soon = ["orders", "--timeout-ms", "200", "--bootstrap-server", &nobody];
    let topic = run(tool("explain").args(soon), "");
    assert_eq!(topic.status.code(), Some(2), "{topic:?}");
    assert!(topic.err.contains("ottla doctor"), "{topic:?}");
}

#[test]
fn colours_are_for_terminals() {
    let output = run(tool("explain").arg("19"), "");
    assert!(output.out.starts_with("note"), "{output:?}");
    assert!(!output.out.contains('\x1b') && output.err.is_empty(), "{output:?}");
}

/// What bash offers behind the words, in a shell that has just read the script.
fn offered(words: &[&str]) -> String {
    let line = words.join(" ");
    let (tool, last) = (words[0], words[words.len() - 1]);
    let script = format!(
        "source <('{}' completion bash)\n\
         COMP_WORDS=({line}); COMP_CWORD={}\n\
         complete=$(complete -p {tool}); function=${{complete#*-F }}; ${{function%% *}} {tool} '{last}' x\n\
         echo \"${{COMPREPLY[@]}}\"",
        binary().display(),
        words.len() - 1
    );
    run(Command::new("bash").args(["--norc", "-c", &script]), "").success().out
}

#[test]
fn bash_completes_ottla_and_the_tools_by_their_own_names() {
    assert_eq!(offered(&["ottla", "doc"]), "doctor\n");
    assert_eq!(offered(&["ottla", "cluster", "sta"]), "status start\n");
    assert_eq!(offered(&["kafka-topics", "--under-m"]), "--under-min-isr-partitions\n");
    assert_eq!(offered(&["kafka-topics.sh", "--if-not"]), "--if-not-exists\n");
    assert_eq!(offered(&["ottla", "kafka-get-offsets", "--topic-p"]), "--topic-partitions\n");
}

#[test]
fn manual_pages_come_for_every_command() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = run(tool("ottla").args(["man", "--dir"]).arg(dir.path()), "").success().out;
    assert!(said.contains("pages written to"), "{said}");
    for page in ["ottla.1", "ottla-cluster-up.1", "ottla-doctor.1", "kafka-topics.1"] {
        let text = fs::read_to_string(dir.path().join(page)).expect("a page");
        assert!(text.contains(".TH"), "{text}");
    }
    let page = run(tool("ottla").args(["man", "cluster", "kill"]), "").success().out;
    assert!(page.contains("SIGKILL"), "{page}");
    let none = run(tool("ottla").args(["man", "nothing"]), "").failure().err;
    assert!(none.contains("there is no page of nothing"), "{none}");
}

#[test]
fn a_local_cluster_tells_of_itself_in_json() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_ports(1)[0].to_string();
    let cluster = |args: &[&str]| -> Value {
        let mut command = tool("ottla");
        command.args(["cluster", "--json", "--dir"]).arg(dir.path().join("c")).args(args);
        let output = run(&mut command, "").success();
        assert!(output.err.is_empty(), "{}", output.err);
        serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.out))
    };
    let up = cluster(&["up", "1", "--base-port", &port]);
    assert_eq!(up["bootstrap_servers"], format!("localhost:{port}"));
    assert_eq!(up["started"], serde_json::json!([1]));
    let status = cluster(&["status"]);
    assert_eq!(status["nodes"][0]["broker"], "unfenced", "{status}");
    assert_eq!(status["active_controller"], 1);
    assert_eq!(cluster(&["kill", "1"]), serde_json::json!({ "node": 1, "state": "killed" }));
    assert_eq!(cluster(&["status"])["nodes"][0]["process"], "down");
    assert_eq!(cluster(&["wipe"])["killed"], serde_json::json!([]));
}
