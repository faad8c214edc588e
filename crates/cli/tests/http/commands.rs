//! `sandbar run` and `sandbar call`: what they print, how they end, and what their receipts say.

use crate::app::{SOON, TIME, empty_folder, ended, finish, guest_file, sandbar, used};
use sandbar_testkit::process::{self, Finished, Server, Signal};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    process::Stdio,
    thread,
};

/// Splits a line into words, with the names of guests made paths.
fn words(line: &str) -> Vec<String> {
    let is_guest = |word: &&str| !word.starts_with('/') && (word.ends_with(".wat") || word.ends_with(".wasm"));
    line.split(' ')
        .map(|word| {
            Some(word).filter(is_guest).map_or_else(|| word.to_owned(), |word| guest_file(word).display().to_string())
        })
        .collect()
}

fn sandbar_says(line: &str, stdin: &[u8]) -> Finished {
    finish(words(line), stdin)
}

/// The outcome table of the command line.
#[test]
fn each_outcome_has_its_exit_code() {
    let folder = empty_folder("exit-codes");
    let file = folder.join("receipt.json");
    for (line, code, ends, says) in [
        ("run R empty-command.wat", 0, "done", ""),
        ("run R cli-p1.wasm exit 0", 0, "done", ""),
        ("run R cli-p1.wasm exit 7", 7, "failed 7", ""),
        ("run R cli-p2.wasm exit 7", 1, "failed 1", ""),
        ("run R cli-p1.wasm nonsense", 1, "failed 1", "usage: cli COMMAND"),
        ("run R cli-p1.wasm panic oh", 134, "trapped", "oh"),
        ("run R cli-p2.wasm panic oh", 134, "trapped", "oh"),
        ("run R hostile/unreachable.wat", 134, "trapped", "unreachable"),
        ("run R --wall 300ms hostile/spin.wat", 124, "stopped wall", "raise it with `--wall`"),
        ("run R --cpu 300ms hostile/spin.wat", 124, "stopped cpu", "raise it with `--cpu`"),
        ("run R --fuel 1000 hostile/spin.wat", 124, "stopped fuel", "raise it with `--fuel`"),
        ("run R --wall 300ms cli-p2.wasm sleep 60000", 124, "stopped wall", "`wall`"),
        ("run R --output 10 cli-p1.wasm stdout 11", 124, "stopped output", "`output`"),
        ("run R --log 10 cli-p1.wasm stderr 11", 124, "stopped log", "`log`"),
        ("run R --bytes-out 10 cli-p2.wasm stdout 11", 124, "stopped bytes-out", "`bytes-out`"),
        ("run R --bytes-in 3 cli-p1.wasm cat", 124, "stopped bytes-in", "`bytes-in`"),
        ("run R hostile/components/random-terabyte.wat", 126, "refused grant", "grant it with `--random`"),
        ("call R add.wat add 1 2", 0, "done", ""),
        ("call R fails.wat handle_request", 3, "failed 3", "secret detail"),
        ("call R --wall 300ms hostile/spin-init.wat handle_request", 124, "stopped wall", "`wall`"),
        ("call R --fuel 1000 add.wat fib 30", 124, "stopped fuel", "`fuel`"),
        ("call R add.wat add 1", 126, "refused event", "add(i32, i32) -> i32"),
        ("call R add.wat add 1 2 3", 126, "refused event", "found 3"),
        ("call R add.wat add 1 4294967296", 126, "refused event", "4294967296"),
    ] {
        let _ = fs::remove_file(&file);
        let finished = sandbar_says(&line.replace('R', &format!("--receipt={}", file.display())), b"input");
        assert_eq!(finished.code(), Some(code), "{line}: {}", finished.stderr_text());
        assert!(finished.stderr_text().contains(says), "{line}: expected `{says}` in: {}", finished.stderr_text());
        assert!(finished.wall < SOON, "{line}: {:?}", finished.wall);
        let receipt: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(ended(&receipt), ends, "{line}: {receipt}");
        assert_eq!(receipt["trigger"], "cli");
        assert_eq!(receipt["source"], line.split(' ').next().unwrap());
    }
    // What is wrong before there is a call has no receipt and codes of its own.
    for (line, code) in [
        ("run", 2),
        ("run --wall 5 empty-command.wat", 2),
        ("run --dir /nowhere empty-command.wat", 2),
        ("run --env SANDBAR_NOT_SET empty-command.wat", 2),
        ("run --allow-http nonsense empty-command.wat", 2),
        ("run sensor.wasm", 65),
        ("run hello.wasm", 65),
        ("run /nowhere.wasm", 66),
        ("call add.wat nothing 1", 65),
        ("call hello.wasm nothing", 65),
        ("nonsense", 2),
    ] {
        let finished = sandbar_says(line, b"");
        assert_eq!(finished.code(), Some(code), "{line}: {}", finished.stderr_text());
        assert!(finished.stderr_text().starts_with("error: ") && finished.stdout.is_empty(), "{line}: {finished:?}");
    }
}

#[test]
fn a_command_has_its_arguments_and_streams() {
    for (line, stdin, expected) in [
        ("run cli-p1.wasm echo a --b -- c", "", "a --b -- c\n"),
        ("run cli-p2.wasm echo a --b", "", "a --b\n"),
        ("run cli-p3.wasm a --b", "and stdin", "a --b\nand stdin"),
        ("run --arg echo --arg first cli-p1.wasm second", "", "first second\n"),
        ("run cli-p1.wasm cat", "through\0and\nthrough", "through\0and\nthrough"),
        ("run cli-p2.wasm cat", "through", "through"),
        ("run cli-p1.wasm env", "", ""),
        ("run --env A=1 --env B= cli-p1.wasm env", "", "A=1\nB=\n"),
        ("run --env SANDBAR_TEST cli-p2.wasm env SANDBAR_TEST", "", "from the host\n"),
    ] {
        let mut command = sandbar();
        command.env("SANDBAR_TEST", "from the host").args(words(line));
        let finished = process::run(&mut command, stdin.as_bytes(), TIME).unwrap();
        assert_eq!(
            (finished.code(), finished.stdout_text().as_str()),
            (Some(0), expected),
            "{line}: {}",
            finished.stderr_text()
        );
        assert_eq!(finished.stderr_text(), "", "{line}");
    }
    for guest in ["cli-p1.wasm", "cli-p2.wasm"] {
        assert_eq!(sandbar_says(&format!("run {guest} stdout 10000000"), b"").stdout.len(), 10_000_000);
        assert_eq!(sandbar_says(&format!("run {guest} stderr 1000000"), b"").stderr.len(), 1_000_000);
        let large = vec![b'x'; 5_000_000];
        assert!(sandbar_says(&format!("run {guest} cat"), &large).stdout == large);
        let random = sandbar_says(&format!("run --random {guest} random 16"), b"").stdout_text();
        assert_eq!(random.trim().len(), 32);
        assert_ne!(random, sandbar_says(&format!("run --random {guest} random 16"), b"").stdout_text());
    }
}

#[test]
fn values_are_read_and_written() {
    for (line, expected) in [
        ("call add.wat add 1 2", "3\n"),
        ("call add.wat add -1 -2", "-3\n"),
        ("call add.wat scale 0.1 3", "0.30000000000000004\n"),
        ("call add.wat sum64 9007199254740993 1", "9007199254740994\n"),
        ("call sensor.wasm calculate_average [20,22,27]", "23\n"),
        ("call sensor.wasm calculate_average []", "0\n"),
        ("call string.wat count_vowels \"hello\"", "2\n"),
        ("call types.wasm greet \"Ada\"", "\"Hello, Ada!\"\n"),
        ("call types.wasm sandbar:types/echo@0.1.0#echo-record {x:1,y:-2}", "{x: 1, y: -2}\n"),
        ("call types.wasm sandbar:types/echo@0.1.0#echo-option some(7)", "some(7)\n"),
        ("call types.wasm sandbar:types/echo@0.1.0#echo-flags {read,execute}", "{read, execute}\n"),
        ("call --json types.wasm sandbar:types/echo@0.1.0#echo-record {\"x\":1,\"y\":-2}", "{\"x\":1,\"y\":-2}\n"),
        ("call --json types.wasm sandbar:types/echo@0.1.0#echo-flags [\"read\"]", "[\"read\"]\n"),
        ("call --json add.wat sum64 9007199254740993 1", "\"9007199254740994\"\n"),
    ] {
        let finished = sandbar_says(line, b"");
        assert_eq!(
            (finished.code(), finished.stdout_text().as_str()),
            (Some(0), expected),
            "{line}: {}",
            finished.stderr_text()
        );
    }
    let finished = sandbar_says("call double.wasm handle_request", br#"{"name":"Ada","value":21}"#);
    assert_eq!(finished.stdout_text(), r#"{"message":"Hello, Ada. Your value was doubled!","processed_value":42}"#);
}

#[test]
fn a_receipt_is_written_where_it_is_wanted() {
    let finished = sandbar_says("run --receipt - --fuel 1000000000 cli-p1.wasm echo hello", b"");
    let lines: Vec<String> = finished.stdout_text().lines().map(str::to_owned).collect();
    let receipt: Value = lines.iter().find_map(|line| serde_json::from_str(line).ok()).unwrap();
    assert!(lines.len() == 2 && lines.contains(&"hello".to_owned()), "{lines:?}");
    assert_eq!(
        (receipt["version"].as_u64(), ended(&receipt).as_str(), &receipt["guest"]),
        (Some(1), "done", &"cli-p1".into())
    );
    assert_eq!(used(&receipt, "output_bytes"), 6);
    assert!(
        used(&receipt, "fuel") > 100 && used(&receipt, "memory_bytes") >= 65536 && used(&receipt, "wall_ns") > 0,
        "{receipt}"
    );
    assert!(receipt["digest"].as_str().unwrap().starts_with("sha256:"));

    let finished = sandbar_says("call --receipt - add.wat add 1 2", b"");
    let text = finished.stdout_text();
    assert!(text.lines().any(|line| line == "3"), "{text}");
    assert!(
        text.lines().any(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["shape"] == "typed")),
        "{text}"
    );

    let finished = sandbar_says("run --receipt /nowhere/receipt.json empty-command.wat", b"");
    assert_eq!(finished.code(), Some(69), "{finished:?}");
}

/// What was refused stands in the receipt with the line that would allow it, and is told with the flag.
#[test]
fn denials_say_what_to_type() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"pong\n");
        }
    });
    let folder = empty_folder("denials");
    let file = folder.join("receipt.json");
    for (arguments, grant, flag) in [
        (format!("tcp {address}"), "tcp", format!("--allow-tcp {address}")),
        (format!("udp {address}"), "udp", format!("--allow-udp {address}")),
        ("lookup localhost".to_owned(), "lookup", "--allow-lookup localhost".to_owned()),
    ] {
        let finished = sandbar_says(&format!("run --receipt={} cli-p2.wasm {arguments}", file.display()), b"");
        assert_eq!(finished.code(), Some(1), "{arguments}: {finished:?}");
        assert!(finished.stderr_text().contains(&flag), "{arguments}: {}", finished.stderr_text());
        let receipt: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(receipt["denials"][0]["grant"], grant, "{receipt}");
        assert!(receipt["denials"][0]["allow"].as_str().unwrap().starts_with(&format!("{grant} = [")), "{receipt}");
    }
    // And with what it says it works.
    let finished = sandbar_says(&format!("run --allow-tcp {address} cli-p2.wasm tcp {address}"), b"");
    assert_eq!((finished.code(), finished.stdout_text().as_str()), (Some(0), "pong\n"), "{finished:?}");
    let finished = sandbar_says("run --allow-lookup localhost cli-p2.wasm lookup localhost", b"");
    assert!(finished.code() == Some(0) && finished.stdout_text().contains("127.0.0.1"), "{finished:?}");
}

/// What sockets and files carry is counted, in each WASI that has them.
#[test]
fn what_crosses_the_boundary_is_counted() {
    let folder = empty_folder("boundary");
    fs::write(folder.join("file"), "pong!!\n").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp_at, udp_at) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            stream.read_exact(&mut [0; 5]).unwrap();
            stream.write_all(b"pong!!\n").unwrap();
        }
    });
    thread::spawn(move || {
        while let Ok((5, peer)) = udp.recv_from(&mut [0; 9]) {
            udp.send_to(b"pong!!\n", peer).unwrap();
        }
    });
    let receipt_file = folder.join("receipt.json");
    let dir = folder.display();
    for guest in ["cli-p2.wasm", "cli-p3.wasm"] {
        for (grant, asks, sent) in [
            (format!("--allow-tcp {tcp_at}"), format!("tcp {tcp_at}"), 5),
            (format!("--allow-udp {udp_at}"), format!("udp {udp_at}"), 5),
            (format!("--dir {dir}::/"), "read file".to_owned(), 0),
        ] {
            let line = format!("run --receipt={} {grant} {guest} {asks}", receipt_file.display());
            let finished = sandbar_says(&line, b"");
            assert_eq!(
                (finished.code(), finished.stdout_text().as_str()),
                (Some(0), "pong!!\n"),
                "{line}: {finished:?}"
            );
            let receipt: Value = serde_json::from_str(&fs::read_to_string(&receipt_file).unwrap()).unwrap();
            // What it prints goes out too.
            assert_eq!((used(&receipt, "in_bytes"), used(&receipt, "out_bytes")), (7, sent + 7), "{line}: {receipt}");
        }
    }
}

#[test]
fn programs_get_json() {
    let json = |finished: &Finished| -> Value {
        let text = finished.stderr_text();
        serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap_or_else(|_| panic!("{text}"))
    };
    let missing = sandbar_says("--json run /nowhere.wasm", b"");
    assert_eq!((missing.code(), &json(&missing)["error"]["kind"]), (Some(66), &"no-input".into()));
    let malformed = sandbar_says("inspect --json Cargo.toml", b"");
    assert_eq!(malformed.code(), Some(65));
    let inspected: Value = serde_json::from_str(&sandbar_says("inspect --json hello.wasm", b"").stdout_text()).unwrap();
    assert!(inspected.to_string().contains("wasi:http/incoming-handler"), "{inspected}");
    let compiled: Value = serde_json::from_str(&sandbar_says("compile --json add.wat", b"").stdout_text()).unwrap();
    assert!(fs::metadata(compiled["artifact"].as_str().unwrap()).unwrap().is_file());
    for format in ["manifest", "receipt"] {
        let schema: Value =
            serde_json::from_str(&sandbar_says(&format!("schema {format}"), b"").stdout_text()).unwrap();
        assert!(schema["$schema"].is_string(), "{schema}");
    }
    let mut up = sandbar();
    up.args(["--json", "up", "--listen=127.0.0.1:0"]).arg(guest_file("hello.wasm"));
    let mut server = Server::start(up).unwrap();
    let said: Value = serde_json::from_str(server.stderr().lines().next().unwrap()).unwrap();
    assert_eq!(said["url"], format!("http://{}", server.address()));
    assert_eq!(said["routes"], serde_json::json!(["/", "/{*path}"]));
    server.signal(Signal::TERM).unwrap();
    assert_eq!(server.wait(TIME).unwrap().code(), Some(0));
}

/// Ctrl-C ends a run as a shell expects it.
#[test]
fn a_run_is_cancelled_by_a_signal() {
    for signal in ["-INT", "-TERM"] {
        let folder = empty_folder("signal");
        let file = folder.join("receipt.json");
        let mut command = sandbar();
        command.args(words(&format!("run --receipt={} cli-p1.wasm sleep 600000", file.display())));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(std::time::Duration::from_millis(1500));
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let status = crate::app::until("an end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(130), "{signal}: {status}");
        let receipt: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(ended(&receipt), "cancelled", "{signal}");
    }
}

/// One guest file is an app: it answers every path, under the grants and limits of flags.
#[test]
fn a_guest_file_is_served_with_flags() {
    let mut up = sandbar();
    up.args(["up", "--listen=127.0.0.1:0", "--env", "A=1", "--wall", "300ms"]).arg(guest_file("echo-http.wasm"));
    let server = Server::start(up).unwrap();
    let get = |path: &str| crate::curl::curl(&["-w", " %{http_code}", &server.url(path)]);
    assert_eq!(get("/env"), "{\"A\":\"1\"}\n 200");
    assert!(get("/spin").ends_with(" 504"));
    assert!(get("/").ends_with(" 200"));
    let first = server.stderr().lines().next().unwrap().to_owned();
    assert!(first.contains(&format!("http://{}", server.address())), "{first}");
    // A folder has its grants in the manifest.
    let folder = crate::app::app_folder("flags", "");
    let refused = finish(["up".as_ref(), folder.as_os_str(), "--env".as_ref(), "A=1".as_ref()], b"");
    assert_eq!(refused.code(), Some(65), "{refused:?}");
}
