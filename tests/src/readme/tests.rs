//! Fences, commands, and walks over small READMEs in folders of their own.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fences::{Block, shell_blocks};
use super::scratch::Scratch;
use super::steps::{Kind, steps};
use super::{Failure, Passed, Walk};

/// A folder with a README in it.
struct Place {
    scratch: Scratch,
    lent: Vec<(String, PathBuf)>,
    ports: Vec<u16>,
    script: Option<PathBuf>,
}

impl Place {
    fn with(readme: &str) -> Self {
        let scratch = Scratch::new().unwrap();
        fs::write(scratch.path().join("README.md"), readme).unwrap();
        Self { scratch, lent: Vec::new(), ports: Vec::new(), script: None }
    }

    /// `cargo run` becomes `sh run`, and this is what it runs.
    fn serving(mut self, script: &str) -> Self {
        fs::write(self.file("run"), script).unwrap();
        self.lent.push(("cargo".to_owned(), "/bin/sh".into()));
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn walk(&self) -> Result<Passed, Failure> {
        let output = File::create(self.file("output")).unwrap();
        let Self { lent, ports, script, .. } = self;
        let (lent, ports, script) = (lent.clone(), ports.clone(), script.clone());
        Walk { readme: self.file("README.md"), script, lent, ports, output }.run()
    }
}

/// Says that it is ready, and leaves a file when it is asked to stop.
const POLITE: &str = "\
echo starting
trap 'kill $!; echo asked > stopped; exit 0' TERM
sleep 1000 &
echo 'INFO tandem is ready' >&2
wait
";

fn kinds(text: &str) -> Vec<(usize, Kind)> {
    let block = Block { line: 1, text: text.to_owned() };
    steps(&block).unwrap().iter().map(|step| (step.line, step.kind)).collect()
}

#[test]
fn sh_is_run_and_text_is_only_read() {
    let markdown = "# A\n```sh\none\ntwo\n```\nprose\n```text\nthree\n```\n~~~~ sh\n```\nfour\n~~~~~\n";
    let blocks = shell_blocks(markdown).unwrap();
    let expected =
        [Block { line: 3, text: "one\ntwo\n".to_owned() }, Block { line: 11, text: "```\nfour\n".to_owned() }];
    assert_eq!(blocks, expected);
}

#[test]
fn a_fence_inside_a_list_loses_the_indentation_of_the_list() {
    let blocks = shell_blocks("1. first\n\n   ```sh\n   if true; then\n     one\n   fi\n   ```\n").unwrap();
    assert_eq!(blocks, [Block { line: 4, text: "if true; then\n  one\nfi\n".to_owned() }]);
}

#[test]
fn a_span_of_code_is_not_a_fence() {
    assert_eq!(shell_blocks("```not a fence```\n`nor this`\n"), Ok(Vec::new()));
}

#[test]
fn an_unknown_mark_a_missing_mark_and_an_open_fence_are_named_by_line() {
    for (markdown, line, complaint) in [
        ("a\n\n```\nb\n```\n", 3, "no mark"),
        ("```bash\nb\n```\n", 1, "`bash`"),
        ("```sh quiet\nb\n```\n", 1, "`sh quiet`"),
        ("```text\nb\n```\n```sh\nc\n``\n", 4, "never closed"),
    ] {
        let failure = shell_blocks(markdown).unwrap_err();
        assert_eq!(failure.line, Some(line), "{markdown}");
        assert!(failure.what.contains(complaint), "{markdown}: {}", failure.what);
    }
}

#[test]
fn only_the_bare_lines_are_special() {
    let text = "cargo run\ntests/run\ncargo run -- demo\ncargo run --release\ntests/run --long\necho cargo run\n";
    let special = [(1, Kind::Serve), (2, Kind::TestCommand)];
    let shell = [(3, Kind::Shell), (4, Kind::Shell), (5, Kind::Shell), (6, Kind::Shell)];
    assert_eq!(kinds(text), [&special[..], &shell[..]].concat());
}

#[test]
fn a_special_line_inside_another_command_is_not_special() {
    assert_eq!(kinds("cat <<'EOF'\ncargo run\nEOF\necho 'a\ntests/run\n'\n"), [(1, Kind::Shell), (4, Kind::Shell)]);
}

#[test]
fn a_command_goes_on_over_backslashes_quotes_heredocs_and_loops() {
    let commands = [
        ("one \\\n  two\n# a comment\n\nnext\n", 5),
        ("one 'a\n\nb'\nnext\n", 4),
        ("cat <<EOF\n$(\nEOF\nnext\n", 4),
        ("for a in b; do\n  one |\n    two\ndone\nnext\n", 5),
        ("x=$(\n  one &&\n  two\n)\nnext\n", 5),
    ];
    for (text, next) in commands {
        assert_eq!(kinds(text), [(1, Kind::Shell), (next, Kind::Shell)], "{text}");
    }
}

#[test]
fn a_command_that_bash_cannot_read_is_named_by_line_before_anything_runs() {
    let place = Place::with("```sh\ntouch ran\nif true; then\n  echo\n```\n");
    let failure = place.walk().unwrap_err();
    assert_eq!(failure.line, Some(3));
    assert!(failure.what.contains("bash cannot read"), "{}", failure.what);
    assert!(!place.file("ran").exists());
}

#[test]
fn all_blocks_share_one_shell_in_the_folder_of_the_readme() {
    let readme = "```sh\nNAME=world\ngreet() { echo \"hello $1\"; }\n```\n\n```text\nfalse\n```\n\n```sh\n\
                  greet \"$NAME\" > said\ncat <<EOF >> said\nbye $NAME\nEOF\n```\n";
    let place = Place::with(readme);
    assert_eq!(place.walk(), Ok(Passed { commands: 4, blocks: 2 }));
    assert_eq!(place.read("said"), "hello world\nbye world\n");
}

#[test]
fn the_end_counts_commands_and_blocks() {
    assert_eq!(Passed { commands: 12, blocks: 3 }.to_string(), "README: 12 commands in 3 blocks passed");
}

#[test]
fn commands_and_their_output_are_shown_in_order_with_their_lines() {
    let place = Place::with("\n```sh\necho one\necho two \\\n  three >&2\n```\n");
    place.walk().unwrap();
    let expected = "README.md:3$ echo one\none\nREADME.md:4$ echo two \\\nREADME.md:5$   three >&2\ntwo three\n";
    assert_eq!(place.read("output"), expected);
}

#[test]
fn the_first_command_that_fails_ends_the_walk_with_its_line_and_exit_code() {
    let place = Place::with("```sh\ntrue\n```\n\n```sh\n(exit 7) # why\ntouch ran\n```\n");
    let failure = place.walk().unwrap_err();
    assert_eq!(failure, Failure { line: Some(6), what: "exit code 7: (exit 7) # why".to_owned() });
    assert!(!place.file("ran").exists());
}

#[test]
fn a_failure_anywhere_in_a_command_counts() {
    for command in ["false | true", "echo $NOBODY_SET_THIS", "x=$(false)", "nobody-has-this-program", "exit 0"] {
        let failure = Place::with(&format!("```sh\ntrue\n{command}\n```\n")).walk().unwrap_err();
        assert_eq!(failure.line, Some(3), "{command}: {}", failure.what);
    }
}

#[test]
fn the_shells_own_messages_name_the_line_of_the_readme() {
    let place = Place::with("text\n\n```sh\ntrue\nif true; then\n  nobody-has-this-program\nfi\n```\n");
    assert_eq!(place.walk().unwrap_err().line, Some(5));
    assert!(place.read("output").contains("README.md: line 6: nobody-has-this-program"), "{}", place.read("output"));
}

#[test]
fn commands_find_nothing_on_their_standard_input() {
    let place = Place::with("```sh\ncat > input\necho after > input2\n```\n");
    place.walk().unwrap();
    assert_eq!((place.read("input"), place.read("input2")), (String::new(), "after\n".to_owned()));
}

#[test]
fn the_data_directory_is_fresh_and_goes_with_the_walk() {
    let place = Place::with("```sh\nls -A \"$TANDEM_DATA_DIR\" > held\necho \"$TANDEM_DATA_DIR\" > where\n```\n");
    place.walk().unwrap();
    assert_eq!(place.read("held"), "");
    assert!(!Path::new(place.read("where").trim_end()).exists());
}

#[test]
fn a_lent_program_is_found_first() {
    let mut place = Place::with("```sh\nSAID=$(grpcurl -plaintext localhost:1 list)\necho \"$SAID\" > said\n```\n");
    place.lent.push(("grpcurl".to_owned(), "/bin/echo".into()));
    place.walk().unwrap();
    assert_eq!(place.read("said"), "-plaintext localhost:1 list\n");
}

#[test]
fn a_readme_without_commands_is_not_walked() {
    let failure = Place::with("# Nothing\n```text\na\n```\n```sh\n# only a comment\n```\n").walk().unwrap_err();
    assert_eq!(failure.line, None);
}

#[test]
fn the_service_runs_beside_the_commands_and_is_asked_to_stop_at_the_end() {
    let place = Place::with("```sh\ncargo run\n```\n```sh\ntest ! -e stopped\n```\n").serving(POLITE);
    assert_eq!(place.walk(), Ok(Passed { commands: 2, blocks: 2 }));
    assert_eq!(place.read("stopped"), "asked\n");
}

#[test]
fn the_service_is_stopped_and_heard_when_a_later_command_fails() {
    let place = Place::with("```sh\ncargo run\nfalse\n```\n").serving(POLITE);
    assert_eq!(place.walk().unwrap_err().line, Some(3));
    assert_eq!(place.read("stopped"), "asked\n");
    let output = place.read("output");
    assert!(output.contains("  starting\n") && output.contains("  INFO tandem is ready\n"), "{output}");
}

#[test]
fn a_service_that_ends_before_it_is_ready_fails_the_walk_with_its_last_words() {
    let place = Place::with("```sh\ncargo run\n```\n").serving("echo 'the data directory is locked'\nexit 3\n");
    let failure = place.walk().unwrap_err();
    assert_eq!(failure.line, Some(2));
    assert!(failure.what.contains("ended before it said"), "{}", failure.what);
    assert!(place.read("output").contains("  the data directory is locked\n"));
}

#[test]
fn a_service_that_ends_unasked_fails_the_walk() {
    let readme = "```sh\ncargo run\nuntil grep -q ') Z' \"/proc/$(cat pid)/stat\"; do sleep 0.01; done\n```\n";
    let place = Place::with(readme).serving("echo $$ > pid\necho 'tandem is ready'\nexit 3\n");
    let failure = place.walk().unwrap_err();
    assert_eq!(failure, Failure { line: None, what: "`cargo run` ended by itself: exit status: 3".to_owned() });
}

#[test]
fn a_second_service_is_refused() {
    let place = Place::with("```sh\ncargo run\ncargo run\n```\n").serving(POLITE);
    assert_eq!(place.walk().unwrap_err().line, Some(3));
}

#[test]
fn a_busy_port_is_named_before_the_service_starts() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut place = Place::with("```sh\ncargo run\n```\n").serving("touch ran\n");
    place.ports.push(port);
    let failure = place.walk().unwrap_err();
    assert_eq!(failure.line, Some(2));
    assert!(failure.what.contains(&format!("port {port} is busy")), "{}", failure.what);
    assert!(!place.file("ran").exists());
}

#[test]
fn the_test_command_is_looked_at_and_never_run() {
    let mut place = Place::with("```sh\ntests/run\n```\n");
    assert!(place.walk().unwrap_err().what.contains("No such file"));

    fs::create_dir(place.file("tests")).unwrap();
    fs::write(place.file("tests/run"), "touch ran\n").unwrap();
    fs::set_permissions(place.file("tests/run"), Permissions::from_mode(0o644)).unwrap();
    assert!(place.walk().unwrap_err().what.contains("not an executable file"));

    fs::set_permissions(place.file("tests/run"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(place.walk(), Ok(Passed { commands: 1, blocks: 1 }));

    place.script = Some(place.file("tests/run"));
    assert_eq!(place.walk(), Ok(Passed { commands: 1, blocks: 1 }));

    place.script = Some(place.file("README.md"));
    assert!(place.walk().unwrap_err().what.contains("not the script that runs this walk"));
    assert!(!place.file("ran").exists());
}
