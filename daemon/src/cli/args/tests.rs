//! Tests of the command line: examples, exit codes, refusals.

use clap::CommandFactory;

use super::*;

/// Calls a closure with each command and its words.
fn each(command: &clap::Command, path: &str, look: &mut impl FnMut(&clap::Command, &str)) {
    look(command, path);
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        each(inner, &format!("{path} {}", inner.get_name()), look);
    }
}

#[test]
fn every_command_has_an_example_that_parses() {
    Cli::command().debug_assert();
    let mut seen = 0;
    each(&Cli::command(), "callreel", &mut |command, path| {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let examples = help.split("EXAMPLE\n").nth(1).unwrap_or_default();
        assert!(!examples.is_empty(), "'{path}' has no example");
        for example in examples.lines() {
            assert!(
                example.trim().starts_with(path),
                "'{example}' is not of '{path}'"
            );
            // Of a pipe, our part; not what is said about it.
            let ends = [" | ", " < ", " # "];
            let ours = ends.iter().filter_map(|end| example.find(end)).min();
            let ours = &example[..ours.unwrap_or(example.len())];
            let parsed = Cli::try_parse_from(ours.split_whitespace());
            assert!(parsed.is_ok(), "'{example}': {parsed:?}");
            seen += 1;
        }
    });
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_exit_codes_in_the_help_are_those_there_are() {
    for (exit, meaning) in crate::cli::exit::Exit::ALL {
        let row = format!("{:>3}  {meaning}\n", exit.code());
        assert!(EXIT_CODES.contains(&row), "{row}");
    }
}

#[test]
fn bad_command_lines_are_refused() {
    for line in [
        "callreel",
        "callreel nope",
        "callreel tenant add a/b",
        "callreel key issue --tenant a --family nope",
        "callreel tenant set acme",
        "callreel tenant set acme --disable --enable",
        "callreel tenant set acme --keep-as aac",
        "callreel key issue --tenant a --family task-audio --allow 10.0.0.0/33",
        "callreel key issue --tenant a --family task-audio --expires soon",
        "callreel key rotate 3 --grace 1y",
        "callreel signing-key retire",
        "callreel signing-key retire -1",
        "callreel user add a --tenant t",
        "callreel user add a --tenant t --role boss",
        "callreel user add a --tenant t --role admin --password secret",
        "callreel user add a --tenant t --role admin --generate --password-stdin",
        "callreel user passwd a secret",
        "callreel user set a",
        "callreel user set a --enable --disable",
        "callreel user set a --allow 10.0.0.1 --allow-any",
        "callreel lock clear",
        "callreel prompt say --tenant t --name n",
        "callreel prompt add greeting.wav --tenant t",
        "callreel prompt save 3",
        "callreel calls show",
        "callreel calls show 1f0",
        "callreel calls show front-desk",
        "callreel calls --ended list",
        "callreel calls open",
        "callreel calls open front-desk --caller-id",
        "callreel calls play 1f0c2d3e",
        "callreel calls record start",
        "callreel calls record pause 1f0c2d3e --mode skip",
        "callreel app set acme",
        "callreel app set a/b --new-secret",
        "callreel app set acme --rate-limit 0",
        "callreel app set acme --events ring",
        "callreel app set acme --events dtmf --all-events",
        "callreel app set acme --generate-key --api-key-stdin",
        "callreel app set acme --webhook-url https://a/ --no-webhook",
        "callreel webhooks list --limit 5",
        "callreel webhooks list --dead --limit 0",
        "callreel webhooks show 7",
        "callreel webhooks replay --all",
        "callreel webhooks replay --tenant acme",
        "callreel webhooks replay --tenant acme --all 0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e",
        "callreel record start",
        "callreel recordings list --state gone",
        "callreel recordings list --since yesterday",
        "callreel recordings list --all --limit 3",
        "callreel recordings import a.wav",
        "callreel recordings import --tenant t --recid x a.wav",
        "callreel recordings delete",
        "callreel devices test hw:0 --rate 7000",
        "callreel devices play hw:0",
        "callreel devices play hw:0 a.wav --tone 440",
    ] {
        assert!(
            Cli::try_parse_from(line.split_whitespace()).is_err(),
            "{line}"
        );
    }
}

#[test]
fn options_for_all_commands_may_stand_anywhere() {
    let cli = Cli::try_parse_from(["callreel", "lines", "--json", "--socket", "/x"]);
    let common = cli.expect("valid").common;
    assert!(common.json);
    assert_eq!(common.socket.as_deref(), Some(std::path::Path::new("/x")));
}
