use super::*;

const CONNECTION: &[Group] =
    &[Group { title: "", description: "", exclusive: true, required: true }];
const SERVER: Arg =
    arg(&["--bootstrap-server", "-b"], Kind::Text, "BOOTSTRAP_SERVER", "Brokers to ask.")
        .in_group(0);
const CONTROLLER: Arg = arg(
    &["--bootstrap-controller", "-C"],
    Kind::Text,
    "BOOTSTRAP_CONTROLLER",
    "Controllers to ask.",
)
.in_group(0);
const CONFIG: Arg = arg(&["--config"], Kind::Text, "CONFIG", "Old.");
const COMMAND_CONFIG: Arg =
    arg(&["--command-config", "-c"], Kind::Text, "COMMAND_CONFIG", "Properties of the client.");
const ID: Arg = arg(&["--id", "-i"], Kind::Integer, "ID", "The broker.").required();

/// A tool with the options of its subcommands behind them, as kafka-cluster.
const INSIDE: &Parser = &Parser {
    name: "kafka-cluster",
    description: "The tool.",
    args: &[],
    groups: &[],
    commands: &[
        Parser {
            name: "cluster-id",
            description: "The id.",
            args: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG],
            groups: CONNECTION,
            commands: &[],
        },
        Parser {
            name: "unregister",
            description: "Forget a broker.",
            args: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG, ID],
            groups: CONNECTION,
            commands: &[],
        },
        Parser {
            name: "list-endpoints",
            description: "Where brokers listen.",
            args: &[SERVER],
            groups: CONNECTION,
            commands: &[],
        },
    ],
};

fn given(tool: &'static Parser, line: &str) -> Result<Given, Refusal> {
    parse(tool, &line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
}

fn answer(line: &str) -> String {
    given(INSIDE, line).unwrap_err().text()
}

/// As printed by Apache Kafka 4.3.1.
#[test]
fn complaints_are_set_as_by_kafka() {
    let tool = "usage: kafka-cluster [-h] {cluster-id,unregister,list-endpoints} ...\n";
    let id = "\
usage: kafka-cluster cluster-id [-h] [--config CONFIG]
                     [--command-config COMMAND_CONFIG]
                     (--bootstrap-server BOOTSTRAP_SERVER |
                     --bootstrap-controller BOOTSTRAP_CONTROLLER)
";
    let unregister = "\
usage: kafka-cluster unregister [-h] [--config CONFIG]
                     [--command-config COMMAND_CONFIG] --id ID
                     (--bootstrap-server BOOTSTRAP_SERVER |
                     --bootstrap-controller BOOTSTRAP_CONTROLLER)
";
    for (line, usage, complaint) in [
        ("", tool, "kafka-cluster: error: too few arguments\n"),
        ("--nonsense", tool, "kafka-cluster: error: unrecognized arguments: '--nonsense'\n"),
        (
            "nonsense",
            tool,
            "kafka-cluster: error: invalid  choice:  'nonsense'  (choose  from 'cluster-\n\
             id', 'unregister', 'list-endpoints')\n",
        ),
        (
            "cluster-id",
            id,
            "kafka-cluster:  error:  one  of   the  arguments  --bootstrap-server/-b  --\n\
             bootstrap-controller/-C is required\n",
        ),
        (
            "cluster-id -b a -C b",
            id,
            "kafka-cluster: error: argument --bootstrap-controller/-C:  not allowed with\n\
             argument --bootstrap-server/-b\n",
        ),
        ("unregister -b a", unregister, "kafka-cluster: error: argument --id/-i is required\n"),
        (
            "unregister -b a --id x",
            unregister,
            "kafka-cluster: error: argument --id/-i:  could  not  convert 'x' to Integer\n\
             (For input string: \"x\")\n",
        ),
    ] {
        assert_eq!(answer(line), format!("{usage}{complaint}"), "{line}");
    }
}

#[test]
fn names_may_be_shortened_and_values_attached() {
    let given = given(INSIDE, "unreg --bootstrap-s=a:1 -i5 --command b").unwrap();
    assert_eq!(given.command(), Some("unregister"));
    assert_eq!(given.one("--bootstrap-server"), Some("a:1"));
    assert_eq!(given.number::<i32>("--id"), Some(5));
    assert_eq!(given.one("--command-config"), Some("b"));
    assert!(!given.has("--config"));
    let ambiguous = answer("cluster-id --bootstrap a");
    let expected = "kafka-cluster:  error:  ambiguous  option:   --bootstrap   could  match  --\n\
                    bootstrap-controller, --bootstrap-server\n";
    assert!(ambiguous.ends_with(expected), "{ambiguous}");
}

#[test]
fn help_stands_in_two_columns() {
    let text = answer("unregister --id 5 -h");
    let rest = text.split("\n\n").nth(1).unwrap();
    assert_eq!(
        rest,
        "optional arguments:
  -h, --help             show this help message and exit
  --bootstrap-server BOOTSTRAP_SERVER, -b BOOTSTRAP_SERVER
                         Brokers to ask.
  --bootstrap-controller BOOTSTRAP_CONTROLLER, -C BOOTSTRAP_CONTROLLER
                         Controllers to ask.
  --config CONFIG        Old.
  --command-config COMMAND_CONFIG, -c COMMAND_CONFIG
                         Properties of the client.
  --id ID, -i ID         The broker.
"
    );
}

/// A tool with the options before its subcommand, as kafka-metadata-quorum.
const BEFORE: &Parser = &Parser {
    name: "kafka-metadata-quorum",
    description: "",
    args: &[
        arg(&["--bootstrap-server"], Kind::Text, "BOOTSTRAP_SERVER", "").in_group(0),
        arg(&["--bootstrap-controller"], Kind::Text, "BOOTSTRAP_CONTROLLER", "").in_group(0),
        arg(&["--command-config"], Kind::Text, "COMMAND_CONFIG", ""),
    ],
    groups: CONNECTION,
    commands: &[
        Parser {
            name: "describe",
            description: "",
            args: &[arg(&["--status"], Kind::Flag, "", "")],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "remove-controller",
            description: "",
            args: &[
                arg(&["--controller-id", "-i"], Kind::Integer, "CONTROLLER_ID", "").required(),
                arg(
                    &["--controller-directory-id", "-d"],
                    Kind::Text,
                    "CONTROLLER_DIRECTORY_ID",
                    "",
                )
                .required(),
                arg(&["--dry-run"], Kind::Flag, "", ""),
            ],
            groups: &[],
            commands: &[],
        },
    ],
};

/// As printed by Apache Kafka 4.3.1.
#[test]
fn what_is_missing_is_said_last_and_by_the_tool_first() {
    let complaint = given(BEFORE, "--bootstrap-server a remove-controller").unwrap_err().text();
    assert_eq!(
        complaint,
        "\
usage: kafka-metadata-quorum (--bootstrap-server BOOTSTRAP_SERVER |
                             --bootstrap-controller BOOTSTRAP_CONTROLLER)
                             remove-controller [-h]
                             --controller-id CONTROLLER_ID
                             --controller-directory-id CONTROLLER_DIRECTORY_ID
                             [--dry-run]
kafka-metadata-quorum:  error:  argument   --controller-directory-id/-d  is
required
"
    );
    let complaint = given(BEFORE, "describe --status").unwrap_err().text();
    assert!(
        complaint.ends_with(
            "kafka-metadata-quorum: error: one  of  the  arguments --bootstrap-server --\n\
             bootstrap-controller is required\n"
        ),
        "{complaint}"
    );
    assert!(complaint.contains("{describe,remove-controller}"), "{complaint}");
    let complaint = given(BEFORE, "describe --nonsense").unwrap_err().text();
    assert!(complaint.ends_with("unrecognized arguments: '--nonsense'\n"), "{complaint}");
}

/// A tool whose name is too long for the first line of its usage, as kafka-producer-perf-test.
#[test]
fn several_values_and_negative_numbers() {
    const TOOL: &Parser = &Parser {
        name: "kafka-producer-perf-test",
        description: "",
        args: &[
            arg(&["--topic"], Kind::Text, "TOPIC", "").required(),
            arg(&["--throughput"], Kind::Double, "THROUGHPUT", "").required(),
            arg(&["--command-property"], Kind::Texts, "PROP-NAME=PROP-VALUE", ""),
        ],
        groups: &[],
        commands: &[],
    };
    let line = "--topic t --throughput -1 --command-property a=1 b=2 --command-property c";
    let found = given(TOOL, line).unwrap();
    assert_eq!(found.number::<f64>("--throughput"), Some(-1.0));
    assert_eq!(found.all("--command-property").collect::<Vec<_>>(), ["a=1", "b=2", "c"]);
    let complaint = given(TOOL, "--topic t").unwrap_err().text();
    assert_eq!(
        complaint,
        "\
usage: kafka-producer-perf-test
       [-h] --topic TOPIC --throughput THROUGHPUT
       [--command-property PROP-NAME=PROP-VALUE [PROP-NAME=PROP-VALUE ...]]
kafka-producer-perf-test: error: argument --throughput is required
"
    );
}
