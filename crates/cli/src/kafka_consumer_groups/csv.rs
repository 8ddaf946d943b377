//! Offsets as CSV: `topic,partition,offset`, with the group in front where there are several.

use std::collections::BTreeMap;

use ottla_protocol::ids::TopicPartition;

use super::reset::Plan;
use super::thrown::Thrown;
use crate::exceptions::Failure;

/// A text that is longer is quoted without looking into it.
const LONGEST_BARE: usize = 24;

/// The rows of some plans, each with its newline.
pub(super) fn export(plans: &BTreeMap<String, Plan>, is_single: bool) -> String {
    let mut text = String::new();
    for (group, plan) in plans {
        for (partition, offset) in plan {
            if !is_single {
                text.push_str(&cell(group));
                text.push(',');
            }
            let (topic, index) = (cell(&partition.topic), partition.partition);
            text.push_str(&format!("{topic},{index},{offset}\n"));
        }
    }
    text
}

fn cell(text: &str) -> String {
    let is_bare = text.len() <= LONGEST_BARE && text.chars().all(|c| c > ',');
    if is_bare { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// The plans of a file. Rows without a group belong to the one group that was named.
pub(super) fn read_file(path: &str, groups: &[&str]) -> Result<BTreeMap<String, Plan>, Thrown> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => Failure::new("java.nio.file.NoSuchFileException", path),
            _ => Failure::new("java.io.IOException", format!("{path}: {error}")),
        };
        let why = Failure::new("java.io.IOException", format!("Unable to read file {path}"));
        Thrown::of(cause).under(why).within("java.lang.RuntimeException")
    })?;
    read(&text, groups)
}

pub(super) fn read(text: &str, groups: &[&str]) -> Result<BTreeMap<String, Plan>, Thrown> {
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let without_group = match (groups, lines.first()) {
        ([group], Some(first)) if row(&cells(first)).is_ok() => Some(*group),
        _ => None,
    };
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for line in lines {
        let cells = cells(line);
        let (group, rest) = match (without_group, cells.split_first()) {
            (None, Some((group, rest))) => (group.as_str(), rest),
            (Some(group), _) => (group, cells.as_slice()),
            (None, None) => continue,
        };
        let (partition, offset) = row(rest).map_err(|why| {
            let message = format!("{why} in the row `{line}`");
            Thrown::of(Failure::new("java.io.IOException", message))
                .within("java.lang.RuntimeException")
        })?;
        plans.entry(group.to_owned()).or_default().insert(partition, offset);
    }
    Ok(plans)
}

/// `topic,partition,offset`; numbers at the end may be missing and are 0 then.
fn row(cells: &[String]) -> Result<(TopicPartition, i64), String> {
    if cells.len() > 3 {
        return Err("Too many entries".to_owned());
    }
    let topic = cells.first().map(String::as_str).unwrap_or_default();
    let text = |at: usize| cells.get(at).map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
    let wrong = |cell: &str| format!("not a number: `{cell}`");
    let partition = text(1).map_or(Ok(0), |cell| cell.parse().map_err(|_| wrong(cell)))?;
    let offset = text(2).map_or(Ok(0), |cell| cell.parse().map_err(|_| wrong(cell)))?;
    Ok((TopicPartition::new(topic, partition), offset))
}

/// The cells of a line; quotes around a cell are dropped, doubled ones in it stand for one.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.trim_end_matches('\r').chars().peekable();
    while let Some(letter) = letters.next() {
        let last = cells.len() - 1;
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cells[last].push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => cells[last].push(letter),
        }
    }
    cells
}
