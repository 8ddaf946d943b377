//! `ottla watch`: who leads what, and every change with its cause, as the controllers commit it.

mod events;
mod feed;
mod offsets;
mod screen;
mod text;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ottla_client::{Admin, Client, ClientOptions};
use ottla_metadata::{Delta, Image};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use events::{Event, Observer, concerns};
use feed::Said;
use offsets::HighWatermarks;
use screen::Screen;

/// How often the screen is drawn though nothing changed: it may have another size.
const REDRAW: Duration = Duration::from_millis(500);
/// Changes of one batch beyond this many are counted instead of printed, unless as JSON.
const LINES_PER_BATCH: usize = 40;

/// Shows brokers and partitions, and each change with its cause, as it happens.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Brokers to start from; one that answers is enough.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// Only this topic, with its high watermarks.
    #[arg(long)]
    topic: Option<String>,
    /// One JSON object per change, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Watches until interrupted or until nobody reads the output any more.
pub(crate) fn run(args: Args) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(watch(args))
}

async fn watch(args: Args) -> Result<()> {
    let client = Client::connect(&args.bootstrap_server, ClientOptions::default()).await?;
    let admin = Admin::new(client.clone());
    let controllers = feed::controllers(&admin).await?;
    let cluster_id = admin.describe_cluster(false).await?.id;
    let (said, mut heard) = mpsc::channel(64);
    tokio::spawn(feed::follow(controllers, cluster_id, said));
    let (changed, mut high_watermarks) = mpsc::channel(1);
    if let Some(topic) = &args.topic {
        tokio::spawn(offsets::follow(admin, topic.as_str().into(), changed));
    }
    let mut view = View::new(args);
    let mut redraw = tokio::time::interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let shown = tokio::select! {
            message = heard.recv() => match message {
                Some(message) => view.take_in(message),
                None => return Ok(()),
            },
            Some(news) = high_watermarks.recv() => view.high_watermarks(news),
            _ = redraw.tick() => view.draw(),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match shown {
            // Whoever read our lines has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
}

/// What is known and how it is shown.
struct View {
    args: Args,
    image: Option<Image>,
    observer: Observer,
    high_watermarks: HighWatermarks,
    /// Absent when the output is no terminal.
    screen: Option<Screen>,
}

impl View {
    fn new(args: Args) -> Self {
        let screen = (!args.json && io::stdout().is_terminal()).then(Screen::enter);
        Self {
            args,
            image: None,
            observer: Observer::default(),
            high_watermarks: HighWatermarks::new(),
            screen,
        }
    }

    fn take_in(&mut self, message: Said) -> io::Result<()> {
        match message {
            Said::Snapshot(image) => {
                let events = match &self.image {
                    None => Vec::new(),
                    Some(old) => {
                        let mut delta = Delta::between(old, &image);
                        delta.timestamp_ms = now_ms();
                        self.observer.changes(&image, &delta)
                    }
                };
                let first = self.image.replace(*image).is_none();
                if first && self.screen.is_none() && !self.args.json {
                    self.print_state()?;
                }
                self.show(&events)
            }
            Said::Batch { offset, batch } => {
                let Some(image) = &mut self.image else { return Ok(()) };
                let delta = image.replay_batch(offset, &batch);
                let after = image.clone();
                let events = self.observer.changes(&after, &delta);
                self.show(&events)
            }
            Said::Leader { id, term } => {
                let event = self.observer.controller(now_ms(), id, term);
                self.show(event.as_slice())
            }
            Said::Following { controller } => {
                self.remark(&format!("following the feed of controller {controller}"))
            }
            Said::Lost { controller, reason } => {
                self.remark(&format!("feed of controller {controller}: {reason}"))
            }
        }
    }

    fn high_watermarks(&mut self, news: HighWatermarks) -> io::Result<()> {
        if self.screen.is_none() && !self.args.json {
            let topic = self.args.topic.as_deref().unwrap_or_default();
            let news: Vec<_> = news
                .iter()
                .map(|(partition, offset)| format!("{topic}-{partition} {offset}"))
                .collect();
            self.say(now_ms(), &format!("high watermark: {}", news.join(", ")))?;
        }
        self.high_watermarks.extend(news);
        self.draw()
    }

    fn draw(&mut self) -> io::Result<()> {
        let (Some(screen), Some(image)) = (&mut self.screen, &self.image) else { return Ok(()) };
        let state = text::state(
            image,
            self.observer.active_controller(),
            self.args.topic.as_deref(),
            &self.high_watermarks,
        );
        screen.draw(&state)
    }

    fn show(&mut self, events: &[Event]) -> io::Result<()> {
        let topic = self.args.topic.as_deref();
        let events: Vec<_> = events.iter().filter(|event| concerns(event, topic)).collect();
        if self.args.json {
            let mut out = io::stdout().lock();
            for event in events {
                serde_json::to_writer(&mut out, event).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            return out.flush();
        }
        for event in events.iter().take(LINES_PER_BATCH) {
            self.say(event.at_ms, &text::line(event))?;
        }
        if let Some(last) = events.get(LINES_PER_BATCH) {
            let more = events.len() - LINES_PER_BATCH;
            self.say(last.at_ms, &format!("… and {more} more changes at once"))?;
        }
        self.draw()
    }

    fn remark(&mut self, remark: &str) -> io::Result<()> {
        if self.args.json { Ok(()) } else { self.say(now_ms(), remark) }
    }

    fn say(&mut self, at_ms: i64, line: &str) -> io::Result<()> {
        let line = format!("{} {line}", text::time_of_day(at_ms));
        match &mut self.screen {
            Some(screen) => {
                screen.remember(line);
                Ok(())
            }
            None => writeln!(io::stdout().lock(), "{line}"),
        }
    }

    fn print_state(&self) -> io::Result<()> {
        let Some(image) = &self.image else { return Ok(()) };
        let mut out = io::stdout().lock();
        let controller = self.observer.active_controller();
        let topic = self.args.topic.as_deref();
        for line in text::state(image, controller, topic, &self.high_watermarks) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
