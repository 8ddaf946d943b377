use super::*;

#[test]
fn pairs_split_at_the_first_equals_sign() {
    let pairs = read_pairs(["key.separator=:", "a=b=c", "acks"].into_iter());
    assert_eq!(pairs["key.separator"], ":");
    assert_eq!(pairs["a"], "b=c");
    assert_eq!(pairs["acks"], "");
}

#[test]
fn client_settings_are_read_and_checked() {
    let pairs = read_pairs(["request.timeout.ms=2000", "client.id=me"].into_iter());
    let options = client_options("tool", &pairs).unwrap();
    assert_eq!((options.request_timeout_ms, options.client_id.as_str()), (2000, "me"));
    let bad = read_pairs(["request.timeout.ms=soon"].into_iter());
    assert_eq!(
        client_options("tool", &bad).unwrap_err().message,
        "Invalid value soon for configuration request.timeout.ms: Not a number of type LONG"
    );
    assert!(client_options("tool", &read_pairs(["security.protocol=SSL"].into_iter())).is_err());
}

#[test]
fn a_missing_file_is_named() {
    let error = read_file("missing.properties").unwrap_err();
    assert_eq!(error.thrown(), "java.nio.file.NoSuchFileException: missing.properties");
}
