//! Quotas and credentials, by strangers' clients and by the tools.

use ottla_tests::{Cluster, Output, foreign, run, tool};

/// Bytes a second: nothing to a machine, so that only the quota holds it.
const BOUND: f64 = 100_000.0;

fn configs(bootstrap: &str, args: &[&str]) -> Output {
    run(tool("kafka-configs").args(["--bootstrap-server", bootstrap]).args(args), "")
}

/// The rate that a stranger's client gets through, measured for some seconds.
fn rate(bootstrap: &str, what: &str) -> f64 {
    let mut script = foreign::python("quotas.py");
    let output = run(script.args([bootstrap, "q", what, "4"]), "").success();
    output.out.trim().parse().unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_client_keeps_to_its_rate() {
    // Two seconds' worth may come at once.
    let cluster = Cluster::builder().brokers(1).set("quota.window.num", "3").start().await;
    let bootstrap = cluster.bootstrap();
    let create = ["--bootstrap-server", &bootstrap, "--create", "--topic", "q"];
    let _ = run(tool("kafka-topics").args(create), "").success();
    let quotas = "producer_byte_rate=100000,consumer_byte_rate=100000";
    let alter = ["--alter", "--user", "ANONYMOUS", "--add-config", quotas];
    let _ = configs(&bootstrap, &alter).success();
    for what in ["produce", "consume"] {
        // A busy machine may spoil a measurement, not all of them.
        let mut rates = Vec::new();
        while rates.last().is_none_or(|rate| !(0.85 * BOUND..=1.15 * BOUND).contains(rate)) {
            assert!(rates.len() < 4, "{what}: {rates:?} bytes a second");
            rates.push(rate(&bootstrap, what));
        }
        println!("{what}: {rates:?} bytes a second");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_credentials_outlive_the_nodes() {
    let mut cluster = Cluster::three().await;
    let bootstrap = cluster.bootstrap();
    let output = run(foreign::python("scram.py").arg(&bootstrap), "").success();
    assert!(output.out.ends_with("ok\n"), "{output:?}");
    let alter = ["--alter", "--user-defaults", "--add-config", "producer_byte_rate=1000000"];
    let _ = configs(&bootstrap, &alter).success();
    let alter = ["--alter", "--user", "cid", "--add-config", "SCRAM-SHA-256=[password=secret]"];
    let _ = configs(&bootstrap, &alter).success();
    for id in 1..=3 {
        cluster.node(id).kill();
    }
    cluster.start_all();
    cluster.wait_until_ready().await;
    let described = configs(&bootstrap, &["--describe", "--entity-type", "users"]).success().out;
    assert_eq!(
        described,
        "Quota configs for the default user-principal are producer_byte_rate=1000000.0\n\
         SCRAM credential configs for user-principal 'ann' are SCRAM-SHA-256=iterations=8192, \
         SCRAM-SHA-512=iterations=5000\n\
         SCRAM credential configs for user-principal 'cid' are SCRAM-SHA-256=iterations=4096\n"
    );
}
