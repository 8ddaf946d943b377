use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResult;
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// Dials a port where the answer to anything is `answers`, one after another, and then the end.
async fn dialled(answers: Vec<Vec<u8>>) -> Dialled {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut question = [0; 4096];
        for answer in answers {
            assert!(stream.read(&mut question).await.expect("a question") > 0);
            stream.write_all(&answer).await.expect("answered");
        }
        // Waits for the last question, so that nothing is lost by closing before it was read.
        let _ = stream.read(&mut question).await;
    });
    dial(&HostPort { host: "127.0.0.1".to_owned(), port }, Some(2), PATIENCE).await
}

fn frame(version: i16, answer: &impl ottla_protocol::Encodable, flexible: bool) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1];
    if flexible {
        body.push(0);
    }
    let mut buffer = bytes::BytesMut::new();
    answer.encode(&mut buffer, version).expect("encodes");
    body.extend_from_slice(&buffer);
    let mut frame = u32::try_from(body.len()).expect("short").to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

fn versions(apis: &[ApiKey]) -> Vec<u8> {
    let row = |api: &ApiKey| ApiVersion::default().with_api_key(*api as i16).with_max_version(1);
    let answer = ApiVersionsResponse::default().with_api_keys(apis.iter().map(row).collect());
    frame(API_VERSIONS, &answer, false)
}

#[tokio::test]
async fn who_is_there_is_told_from_the_first_bytes() {
    let tls = vec![0x15, 0x03, 0x03, 0, 2, 2, 0x50];
    assert_eq!(dialled(vec![tls]).await, Dialled::Spoke(Spoken::Tls));
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    assert_eq!(dialled(vec![http]).await, Dialled::Spoke(Spoken::Http));
    let http2 = vec![0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0];
    assert_eq!(dialled(vec![http2]).await, Dialled::Spoke(Spoken::Controller));
    assert_eq!(dialled(vec![]).await, Dialled::Spoke(Spoken::Closed));
    assert_eq!(dialled(vec![vec![0xff; 40]]).await, Dialled::Spoke(Spoken::Unknown));
}

#[tokio::test]
async fn a_controller_serves_no_producers() {
    let answers = vec![versions(&[ApiKey::DescribeQuorum, ApiKey::DescribeCluster])];
    assert_eq!(dialled(answers).await, Dialled::Spoke(Spoken::Controller));
}

#[tokio::test]
async fn who_says_no_more_than_its_versions_wants_authentication() {
    let answers = vec![versions(&[ApiKey::Produce, ApiKey::DescribeCluster])];
    assert_eq!(dialled(answers).await, Dialled::Spoke(Spoken::Sasl));
}

#[tokio::test]
async fn a_broker_tells_its_cluster_and_its_id() {
    let cluster = DescribeClusterResponse::default().with_cluster_id("c1".into());
    let refusal = DescribeConfigsResult::default()
        .with_error_code(ErrorCode::InvalidRequest.code())
        .with_error_message(Some(
            "Unexpected broker id, expected 1 or empty string, but received 2".into(),
        ));
    let other = DescribeConfigsResponse::default().with_results(vec![refusal]);
    let same =
        DescribeConfigsResponse::default().with_results(vec![DescribeConfigsResult::default()]);
    for (configs, id) in [(other, 1), (same, 2)] {
        let answers = vec![
            versions(&[ApiKey::Produce, ApiKey::DescribeCluster]),
            frame(DESCRIBE_CLUSTER, &cluster, true),
            frame(DESCRIBE_CONFIGS, &configs, false),
        ];
        let broker = Spoken::Broker { cluster_id: Some("c1".to_owned()), id: Some(id) };
        assert_eq!(dialled(answers).await, Dialled::Spoke(broker));
    }
}

#[tokio::test]
async fn nobody_there_is_told_from_no_such_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let host = |host: &str| HostPort { host: host.to_owned(), port };
    assert_eq!(dial(&host("127.0.0.1"), None, PATIENCE).await, Dialled::Refused);
    assert_eq!(dial(&host("no-such-host.invalid"), None, PATIENCE).await, Dialled::Unresolvable);
}
