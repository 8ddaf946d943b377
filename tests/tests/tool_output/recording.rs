//! What Apache Kafka's tools answered: the files in `tests/tool-output`, read. Pure.

/// One recorded command line and what it did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    /// As typed.
    pub(crate) line: String,
    /// Which of the equal lines of its file it is, from 1.
    pub(crate) occurrence: usize,
    /// Remarks in front of it, without their `# `.
    pub(crate) remarks: Vec<String>,
    pub(crate) stdin: String,
    pub(crate) exit: i32,
    /// Seconds it took, where that was long.
    pub(crate) seconds: Option<u32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A tool's file.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) lines: Vec<Recorded>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    None,
    In,
    Out,
    Err,
}

impl Recording {
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader::default();
        for line in text.lines() {
            reader.line(line);
        }
        reader.finish();
        Self { lines: reader.done }
    }
}

#[derive(Default)]
struct Reader {
    done: Vec<Recorded>,
    current: Option<Recorded>,
    remarks: Vec<String>,
    stream: Option<Stream>,
    blank: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let after_blank = std::mem::replace(&mut self.blank, line.is_empty());
        if let Some(command) = line.strip_prefix("$ ") {
            self.finish();
            let line = command.to_owned();
            let occurrence = 1 + self.done.iter().filter(|done| done.line == line).count();
            let remarks = std::mem::take(&mut self.remarks);
            self.current = Some(Recorded { line, occurrence, remarks, ..Recorded::default() });
            self.stream = Some(Stream::None);
        } else if after_blank && (line.starts_with("# ") || line.starts_with("======")) {
            self.finish();
            self.remarks.extend(line.strip_prefix("# ").map(str::to_owned));
        } else if let Some(rest) = line.strip_prefix("-- exit ") {
            self.exit(rest);
        } else if let Some(command) = line.strip_prefix("[printed the same as: ") {
            self.same_as(command.trim_end_matches(']'));
        } else if let Some(current) = &mut self.current {
            match (line, self.stream) {
                ("-- stdin", _) => self.stream = Some(Stream::In),
                ("-- stdout", _) => self.stream = Some(Stream::Out),
                ("-- stderr", _) => self.stream = Some(Stream::Err),
                (text, Some(Stream::In)) => current.stdin += &format!("{text}\n"),
                (text, Some(Stream::Out)) => current.stdout += &format!("{text}\n"),
                (text, Some(Stream::Err)) => current.stderr += &format!("{text}\n"),
                (_, Some(Stream::None) | None) => {}
            }
        }
    }

    fn exit(&mut self, rest: &str) {
        let Some(current) = &mut self.current else { return };
        let code: String = rest.chars().take_while(char::is_ascii_digit).collect();
        current.exit = code.parse().expect("an exit code");
        let after = rest.split("after ").nth(1).and_then(|text| text.split(' ').next());
        current.seconds = after.map(|seconds| seconds.parse().expect("seconds"));
        self.stream = Some(Stream::None);
    }

    fn same_as(&mut self, command: &str) {
        let other = self.done.iter().rfind(|done| done.line == command).cloned();
        let other = other.unwrap_or_else(|| panic!("no such line before: {command}"));
        if let Some(current) = &mut self.current {
            current.stdout = other.stdout;
            current.stderr = other.stderr;
        }
    }

    fn finish(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        for stream in [&mut current.stdout, &mut current.stderr] {
            stream.truncate(stream.trim_end_matches('\n').len());
        }
        if current.stdin.trim().is_empty() {
            current.stdin.clear();
        }
        self.stream = None;
        self.done.push(current);
    }
}

impl Recorded {
    /// Files that its remarks describe: `name.json: …` as it is, `name.properties: a=b, c=d` as lines.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let file = |remark: &String| {
            // The name may stand at the end of a sentence.
            let (before, content) = remark.split_once(": ")?;
            let name = before.rsplit(' ').next()?;
            let content = match name.rsplit_once('.')?.1 {
                "json" => content.to_owned(),
                "properties" => content.replace(", ", "\n"),
                _ => return None,
            };
            Some((name.to_owned(), content))
        };
        self.remarks.iter().filter_map(file).collect()
    }
}

/// The class of Kafka's that is behind the tool of a recording.
pub(crate) fn class(text: &str) -> &str {
    text.lines().next().and_then(|head| head.split("class ").nth(1)).expect("a head").trim()
}
