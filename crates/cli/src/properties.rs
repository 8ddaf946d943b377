//! Client properties: from `--command-config FILE` and from `--…-property key=value`.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_client::ClientOptions;

use crate::exceptions::Failure;

/// Properties by key.
pub(crate) type Properties = BTreeMap<String, String>;

/// Reads a file in Java's properties format.
pub(crate) fn read_file(path: &str) -> Result<Properties, Failure> {
    let file = std::fs::File::open(Path::new(path)).map_err(|error| {
        let class = match error.kind() {
            std::io::ErrorKind::NotFound => "java.nio.file.NoSuchFileException",
            std::io::ErrorKind::PermissionDenied => "java.nio.file.AccessDeniedException",
            _ => "java.io.IOException",
        };
        Failure::new(class, path)
    })?;
    let pairs = java_properties::read(file)
        .map_err(|error| Failure::new("java.io.IOException", format!("{path}: {error}")))?;
    Ok(pairs.into_iter().collect())
}

/// Reads the file that an option names; without the option there are no properties.
pub(crate) fn read(path: Option<&str>) -> Result<Properties, Failure> {
    path.map_or_else(|| Ok(Properties::new()), read_file)
}

/// Reads `key=value` pairs; a key without a value has the empty one.
pub(crate) fn read_pairs<'a>(pairs: impl Iterator<Item = &'a str>) -> Properties {
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Settings of a client out of its properties. What this client does not know is ignored, as in Kafka.
pub(crate) fn client_options(
    client_id: &str,
    properties: &Properties,
) -> Result<ClientOptions, Failure> {
    let mut options = ClientOptions { client_id: client_id.to_owned(), ..Default::default() };
    if let Some(id) = properties.get("client.id") {
        options.client_id = id.clone();
    }
    for (key, field) in [
        ("request.timeout.ms", &mut options.request_timeout_ms),
        ("default.api.timeout.ms", &mut options.api_timeout_ms),
        ("socket.connection.setup.timeout.ms", &mut options.connection_setup_timeout_ms),
        ("metadata.max.age.ms", &mut options.metadata_max_age_ms),
        ("retry.backoff.ms", &mut options.retry_backoff_ms),
        ("retry.backoff.max.ms", &mut options.retry_backoff_max_ms),
    ] {
        if let Some(value) = number(properties, key)? {
            *field = value;
        }
    }
    match properties.get("security.protocol").map(String::as_str) {
        None | Some("PLAINTEXT") => Ok(options),
        Some(other) => Err(config_error(
            other,
            "security.protocol",
            "this client speaks PLAINTEXT only; use a PLAINTEXT listener",
        )),
    }
}

/// A property that is a number.
pub(crate) fn number<N: std::str::FromStr>(
    properties: &Properties,
    key: &str,
) -> Result<Option<N>, Failure> {
    let Some(text) = properties.get(key) else { return Ok(None) };
    let error = |_| config_error(text, key, "Not a number of type LONG");
    text.trim().parse().map(Some).map_err(error)
}

/// A value that a key cannot have.
pub(crate) fn config_error(value: &str, key: &str, why: &str) -> Failure {
    Failure::config(format!("Invalid value {value} for configuration {key}: {why}"))
}

#[cfg(test)]
mod tests;
