use super::*;

#[test]
fn bootstrap_servers_are_host_port_pairs() {
    let servers = parse_bootstrap("localhost:9092, [::1]:9093,PLAINTEXT://broker3:9094").unwrap();
    let text: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["localhost:9092", "[::1]:9093", "broker3:9094"]);
    assert_eq!(servers[1].host, "::1");
}

#[test]
fn bad_bootstrap_servers_are_named() {
    assert_eq!(parse_bootstrap("localhost"), Err(BootstrapError::Invalid("localhost".into())));
    assert_eq!(parse_bootstrap("::1:9092"), Err(BootstrapError::Invalid("::1:9092".into())));
    assert_eq!(parse_bootstrap("a:99999"), Err(BootstrapError::Invalid("a:99999".into())));
    assert_eq!(parse_bootstrap(" , "), Err(BootstrapError::Empty));
}

#[test]
fn backoff_doubles_up_to_its_bound() {
    let options =
        ClientOptions { retry_backoff_ms: 20, retry_backoff_max_ms: 100, ..Default::default() };
    let pauses: Vec<u128> = (1..6).map(|n| options.backoff(n).as_millis()).collect();
    assert_eq!(pauses, [20, 40, 80, 100, 100]);
}
