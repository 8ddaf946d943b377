//! Loads a Kafka cluster, ours or Apache Kafka's, with one foreign client (librdkafka) or with raw,
//! prebuilt frames, and prints one JSON object per run. `run.py` starts the clusters and interleaves.

mod blast;
mod e2e;
mod gap;
mod get;
mod put;
mod settle;
mod stats;
mod topic;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Where the cluster answers: host:port[,host:port…].
    #[arg(long, global = true, default_value = "localhost:9092")]
    bootstrap: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Creates a topic and waits until every partition has its full ISR.
    Create(topic::CreateArgs),
    /// Deletes a topic.
    Delete(topic::DeleteArgs),
    /// Produces as fast as the client can.
    Put(put::PutArgs),
    /// Consumes from the start to the end.
    Get(get::GetArgs),
    /// Open loop at a rate: time from the moment a record was due until a consumer has it.
    E2e(e2e::E2eArgs),
    /// Longest time without an acknowledgement while a command disturbs the cluster.
    Gap(gap::GapArgs),
    /// Waits until every partition is written to and has its full ISR again.
    Settle(settle::SettleArgs),
    /// Raw produce requests with prebuilt batches: shows the broker, not the client.
    Blast(blast::BlastArgs),
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let result = match args.command {
        Command::Create(a) => topic::create(&args.bootstrap, &a),
        Command::Delete(a) => topic::delete(&args.bootstrap, &a),
        Command::Put(a) => put::run(&args.bootstrap, &a),
        Command::Get(a) => get::run(&args.bootstrap, &a),
        Command::E2e(a) => e2e::run(&args.bootstrap, &a),
        Command::Gap(a) => gap::run(&args.bootstrap, &a),
        Command::Settle(a) => settle::run(&args.bootstrap, &a),
        Command::Blast(a) => blast::run(&args.bootstrap, &a),
    }?;
    println!("{result}");
    Ok(())
}
