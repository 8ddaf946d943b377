use ottla_client::HostPort;

use super::*;

fn node(id: BrokerId, host: &str, rack: Option<&str>, fenced: bool) -> ClusterNode {
    let address = HostPort { host: host.to_owned(), port: 9092 };
    ClusterNode { id, address, rack: rack.map(str::to_owned), fenced }
}

#[test]
fn endpoints_are_set_as_by_kafka() {
    let nodes = [node(1, "127.0.0.1", None, false), node(2, "127.0.0.1", None, true)];
    assert_eq!(
        endpoints(&nodes, false),
        "ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE  \n\
         1          127.0.0.1 9092       null       unfenced   broker         \n\
         2          127.0.0.1 9092       null       fenced     broker         \n"
    );
    let racks = [node(1, "h", Some("r"), false)];
    assert_eq!(
        endpoints(&racks, false),
        "ID         HOST PORT       RACK STATE      ENDPOINT_TYPE  \n\
         1          h 9092       r unfenced   broker         \n"
    );
    assert_eq!(
        endpoints(&nodes[..1], true),
        "ID         HOST      PORT       RACK       ENDPOINT_TYPE  \n\
         1          127.0.0.1 9092       null       controller     \n"
    );
}

#[test]
fn the_command_comes_first() {
    let refused = argparse::parse(TOOL, &["--bootstrap-server", "s"].map(OsString::from));
    let text = refused.expect_err("no command").text();
    assert!(text.contains("unrecognized arguments: '--bootstrap-server'"), "{text}");
}
