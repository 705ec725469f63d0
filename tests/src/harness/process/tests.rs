//! Processes that say that they are ready and then do one thing.

use std::os::unix::process::ExitStatusExt;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A shell that does what `script` says.
fn shell(script: &str) -> Launch {
    Launch { name: "shell".into(), args: vec!["-c".into(), script.into()], ..Launch::of("/bin/sh") }
}

/// One that gets ready and waits to be ended.
fn idle() -> Launch {
    shell("echo starting; echo tandem is ready; exec sleep 1000")
}

/// One that gets ready and ends with code 7 when asked to.
fn polite() -> Launch {
    // The trap runs between two commands, so there must always be a next one.
    shell("trap 'echo goodbye; exit 7' TERM; echo tandem is ready; while :; do :; done")
}

/// The state letter of a process: R and S run, T is stopped, nothing is gone.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// The message of the panic that starting ends in.
async fn refusal(launch: Launch) -> String {
    let panic = tokio::spawn(Process::start(launch)).await.expect_err("it does not get ready").into_panic();
    *panic.downcast::<String>().expect("a message with details")
}

#[tokio::test]
async fn a_started_process_is_ready_and_what_it_said_is_kept_in_order() {
    let process = Process::start(shell("echo one; echo two >&2; echo tandem is ready; exec sleep 1000")).await;
    assert_eq!(process.output(), "one\ntwo\ntandem is ready");
    assert!(state(process.pid()).is_some_and(|state| state != 'T'));
}

#[tokio::test]
async fn the_process_gets_its_arguments_and_settings() {
    let script = r#"echo "$0 $FRUIT"; echo tandem is ready; exec sleep 1000"#;
    let mut launch = shell(script);
    launch.args.push("argument".into());
    launch.env.push(("FRUIT".into(), "pear".into()));
    assert_eq!(Process::start(launch).await.line("argument", SOON).await, "argument pear");
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_reported_with_its_words() {
    let message = refusal(shell("echo the data folder is locked >&2; exit 1")).await;
    assert!(message.contains("ended without saying 'tandem is ready'"), "{message}");
    assert!(message.contains("the data folder is locked"), "{message}");
}

#[tokio::test]
async fn a_process_that_does_not_get_ready_in_time_is_reported_with_its_words() {
    let slow = shell("echo waiting for the database; exec sleep 1000");
    let message = refusal(Launch { ready_within: Duration::from_millis(300), ..slow }).await;
    assert!(message.contains("did not say 'tandem is ready' within 300ms"), "{message}");
    assert!(message.contains("waiting for the database"), "{message}");
}

#[tokio::test]
async fn a_killed_process_is_gone_and_can_be_started_again() {
    let mut process = Process::start(idle()).await;
    let first = process.pid();
    assert_eq!(process.kill9().await.signal(), Some(9));
    assert!(!process.is_running());
    assert_eq!(state(first), None);

    process.restart().await;
    assert!(process.is_running());
    assert_ne!(process.pid(), first);
    assert_eq!(process.output().matches("tandem is ready").count(), 2, "the words of the killed run are kept");
}

#[tokio::test]
async fn restarting_kills_what_lives() {
    let mut process = Process::start(idle()).await;
    let first = process.pid();
    process.restart().await;
    assert_eq!(state(first), None);
    assert!(process.is_running());
}

#[tokio::test]
async fn a_terminated_process_ends_in_its_own_way() {
    let mut process = Process::start(polite()).await;
    process.terminate();
    assert_eq!(process.wait(SOON).await.code(), Some(7));
    assert!(process.output().ends_with("goodbye"), "its last words are heard");
}

#[tokio::test]
async fn a_stopped_process_stands_still_until_it_may_go_on() {
    let mut process = Process::start(polite()).await;
    for _ in 0..2 {
        process.stop();
        assert_eq!(state(process.pid()), Some('T'));
        process.cont();
        assert_ne!(state(process.pid()), Some('T'));
    }
    process.stop();
    process.terminate();
    assert!(process.is_running(), "it cannot even end");
    process.cont();
    assert_eq!(process.wait(SOON).await.code(), Some(7));
}

#[tokio::test]
async fn a_stopped_process_can_be_killed() {
    let mut process = Process::start(idle()).await;
    process.stop();
    assert_eq!(process.kill9().await.signal(), Some(9));
}

#[tokio::test]
async fn a_process_does_not_outlive_its_owner() {
    let process = Process::start(idle()).await;
    let pid = process.pid();
    drop(process);
    assert_eq!(state(pid), None);
}

#[tokio::test]
async fn only_the_last_lines_are_kept() {
    let script =
        "i=0; while [ $i -lt 2500 ]; do echo line $i; i=$((i + 1)); done; echo tandem is ready; exec sleep 1000";
    let process = Process::start(shell(script)).await;
    let output = process.output();
    assert_eq!(output.lines().count(), 2000);
    assert!(output.ends_with("line 2499\ntandem is ready"));
}

#[test]
fn a_program_that_was_not_built_is_asked_for() {
    let panic = std::panic::catch_unwind(|| binary("no-such-service")).expect_err("there is none");
    let message = panic.downcast::<String>().expect("a message with details");
    assert!(message.ends_with("no-such-service is missing: run `cargo build --workspace --bins`"), "{message}");
}
