//! A tool's runtime and its client.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use ottla_client::{BootstrapError, Client, ClientError, ClientOptions};

use crate::console;

/// A tool says that it is still trying when nobody has answered for this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a tool's future on a runtime of its own.
pub(crate) fn run(tool: impl Future<Output = ExitCode>) -> ExitCode {
    run_boxed(Box::pin(tool))
}

/// Knows no type of future: the runtime's code is compiled once, not for each tool.
fn run_boxed(tool: Pin<Box<dyn Future<Output = ExitCode> + '_>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console::complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(tool);
    // A read of stdin that is still blocked must not keep the process.
    runtime.shutdown_background();
    code
}

/// Runs a tool that succeeds or fails; `fail` says how it failed and gives the exit code.
pub(crate) fn run_or<E>(
    tool: impl Future<Output = Result<(), E>>,
    fail: impl FnOnce(&E) -> ExitCode,
) -> ExitCode {
    run(async {
        match tool.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        }
    })
}

/// A client that has reached the cluster; says so on stderr while it has not.
pub(crate) async fn connect(
    bootstrap: &str,
    options: ClientOptions,
    who: &str,
) -> Result<Client, ClientError> {
    let connecting = Client::connect(bootstrap, options);
    tokio::pin!(connecting);
    tokio::select! {
        result = &mut connecting => return result,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    warn_unreachable(bootstrap, who);
    connecting.await
}

/// The line that tells a user why nothing happens.
pub(crate) fn warn_unreachable(bootstrap: &str, who: &str) {
    console::log(
        "WARN",
        &format!(
            "[{who}] Connection to node -1 ({bootstrap}) could not be established. Node may not be \
             available."
        ),
        "org.apache.kafka.clients.NetworkClient",
    );
}

/// Whether the error is about the bootstrap servers as written.
pub(crate) fn bootstrap_error(error: &ClientError) -> Option<&BootstrapError> {
    match error {
        ClientError::Bootstrap(error) => Some(error),
        _ => None,
    }
}
