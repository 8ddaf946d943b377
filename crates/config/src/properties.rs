//! Settings as texts: a `.properties` file, the environment, one laid over the other.

use std::collections::BTreeMap;

/// A line of a `.properties` file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PropertiesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Keys and their texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    values: BTreeMap<String, String>,
}

/// `KAFKA_…` variables of the official images and scripts that are no settings.
const NO_SETTINGS: [&str; 14] = [
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_PORT",
    "KAFKA_HOME",
    "KAFKA_DEBUG",
];

impl Properties {
    /// Parses the text of a Java `.properties` file (UTF-8): comments, continued lines, escapes.
    pub fn parse(text: &str) -> Result<Self, PropertiesError> {
        let mut values = BTreeMap::new();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let mut logical = line.trim_start().to_owned();
            if logical.is_empty() || logical.starts_with(['#', '!']) {
                continue;
            }
            while is_continued(&logical) {
                logical.pop();
                match lines.next() {
                    Some((_, next)) => logical.push_str(next.trim_start()),
                    None => break,
                }
            }
            let at = |reason| PropertiesError { line: index + 1, reason };
            let (key, value) = split(&logical);
            let key = unescape(key).map_err(at)?;
            values.insert(key, unescape(value).map_err(at)?);
        }
        Ok(Self { values })
    }

    /// Reads the settings among environment variables: `KAFKA_NUM_PARTITIONS` and
    /// `KAFKA_CFG_NUM_PARTITIONS` are `num.partitions` (`__` stands for `_`, `___` for `-`),
    /// `CLUSTER_ID` is `cluster.id`. Where only advertised listeners are given, the node listens on
    /// their ports on every address, as the official image does. Empty variables count as absent.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut values = BTreeMap::new();
        for (variable, value) in variables {
            if value.is_empty() {
                continue;
            }
            if let Some(key) = key_of_variable(&variable) {
                values.insert(key, value);
            }
        }
        let controller_only =
            values.get("process.roles").is_some_and(|roles| roles.trim() == "controller");
        if !values.contains_key("listeners")
            && !controller_only
            && let Some(advertised) = values.get("advertised.listeners")
        {
            let listeners = everywhere(advertised);
            values.insert("listeners".to_owned(), listeners);
        }
        Self { values }
    }

    /// These settings, with `over`'s laid over them.
    #[must_use]
    pub fn overlaid(mut self, over: Self) -> Self {
        self.values.extend(over.values);
        self
    }

    /// Sets one key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.values.insert(key.into(), value.into());
    }

    /// A key's text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// All keys with their texts, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// All keys with their texts.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self { values: pairs.collect() }
    }
}

/// A line ends with an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or blank.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if !escaped && (matches!(c, '=' | ':') || c.is_whitespace()) {
            let rest = line[at..].trim_start();
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..at], rest.trim_start());
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.ok_or_else(|| format!("\\u{digits} is not a character"))?);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

fn key_of_variable(variable: &str) -> Option<String> {
    match variable {
        "CLUSTER_ID" | "KAFKA_CLUSTER_ID" | "KAFKA_KRAFT_CLUSTER_ID" => {
            return Some("cluster.id".to_owned());
        }
        _ if NO_SETTINGS.contains(&variable) => return None,
        _ => {}
    }
    let name = variable.strip_prefix("KAFKA_CFG_").or_else(|| variable.strip_prefix("KAFKA_"))?;
    let name = name.to_ascii_lowercase();
    Some(name.replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_"))
}

/// The listeners of the same names and ports on every address.
fn everywhere(advertised: &str) -> String {
    let endpoint = |item: &str| match (item.split_once("://"), item.rsplit_once(':')) {
        (Some((name, _)), Some((_, port))) => format!("{name}://0.0.0.0:{port}"),
        _ => item.to_owned(),
    };
    crate::address::items(advertised).map(endpoint).collect::<Vec<_>>().join(",")
}
