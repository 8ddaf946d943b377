//! What the verifiable tools have in common: how they begin, how they are ended, and what they print, one
//! JSON object a line, its fields in Kafka's order.

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::{Client, ClientOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::argparse::{self, Given, Parser};
use crate::console::{print, say};
use crate::exceptions::Failure;
use crate::properties::{self, Properties};
use crate::session;

/// Reads the command line and runs the tool. Help that is asked for is a failure, as in Kafka's tools.
pub(crate) fn main<Run>(
    parser: &'static Parser,
    args: &[OsString],
    run: impl FnOnce(Given) -> Run,
) -> ExitCode
where
    Run: Future<Output = Result<(), Failure>>,
{
    if args.is_empty() {
        print(&argparse::help(parser));
        return ExitCode::SUCCESS;
    }
    match argparse::parse(parser, args) {
        Ok(given) => session::run_or(run(given), Failure::uncaught),
        Err(refusal) => {
            refusal.print();
            ExitCode::FAILURE
        }
    }
}

/// The properties of the file that is named, be it by an option's `deprecated` name.
pub(crate) fn properties(given: &Given, deprecated: &str) -> Result<Properties, Failure> {
    if given.has(deprecated) {
        say(&format!(
            "Option {deprecated} has been deprecated and will be removed in a future version. Use \
             --command-config instead."
        ));
    }
    properties::read(given.one("--command-config").or_else(|| given.one(deprecated)))
}

/// A client of the cluster that is named.
pub(crate) async fn client(given: &Given, options: ClientOptions) -> Result<Client, Failure> {
    let bootstrap = given.one("--bootstrap-server").unwrap_or_default();
    let client = session::client(bootstrap, options).await;
    client.map_err(|error| Failure::config(error.to_string()))
}

/// Ctrl-C or SIGTERM: how such a run is usually ended.
pub(crate) async fn asked_to_end() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        // Without the one signal there is still the other.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

/// A field's name, and its value as JSON.
pub(crate) type Field<'a> = (&'a str, String);

/// Prints `{"timestamp":…,"name":…,` and the fields.
pub(crate) fn event(name: &str, fields: &[Field<'_>]) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = [("timestamp", since.as_millis().to_string()), ("name", text(name))];
    say(&object(head.iter().chain(fields)));
}

/// An object with its fields in this order.
pub(crate) fn object<'a>(fields: impl IntoIterator<Item = &'a Field<'a>>) -> String {
    let fields: Vec<_> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A list of values.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

/// A text.
pub(crate) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text out of bytes, or null.
pub(crate) fn bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| text(&String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order() {
        let partition = object(&[("topic", text("t\"")), ("partition", "0".to_owned())]);
        assert_eq!(list([partition]), r#"[{"topic":"t\"","partition":0}]"#);
        assert_eq!(bytes(None), "null");
    }
}
