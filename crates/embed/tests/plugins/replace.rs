//! Plugins that are replaced while they are called.

use crate::world::{POLICIES, host, text};
use sandbar_embed::{Error, HostCall, Outcome, Plugin, Probation};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

/// A version that answers with its number.
fn version(number: i32) -> Vec<u8> {
    format!(r#"(module (func (export "version") (param i32) (result i32) i32.const {number}))"#).into_bytes()
}

const TRAPS: &str = r#"(module (func (export "version") (param i32) (result i32) unreachable))"#;

fn asked(plugin: &Plugin) -> Result<i32, Outcome> {
    plugin.call::<i32>("version", &(0,)).map_err(|error| error.outcome)
}

#[test]
fn new_calls_go_to_the_new_version_and_old_ones_end_on_the_old() {
    const WAITS: &str = r#"(module (import "env" "wait" (func $wait)) (func (export "version") (param i32) (result i32)
        (call $wait) i32.const 1))"#;
    for policy in POLICIES {
        let (in_call, called) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let gone = std::sync::Mutex::new(gone);
        let plugin = text(WAITS)
            .policy(policy)
            .function("env", "wait", move |_: &mut HostCall<'_>, (): ()| {
                in_call.send(()).unwrap();
                gone.lock().unwrap().recv().unwrap();
            })
            .load()
            .unwrap();
        thread::scope(|scope| {
            let old = scope.spawn(|| asked(&plugin));
            called.recv().unwrap();
            plugin.replace(version(2)).unwrap();
            assert_eq!(asked(&plugin), Ok(2), "{policy:?}");
            go.send(()).unwrap();
            assert_eq!(old.join().unwrap(), Ok(1), "{policy:?}");
        });
    }
}

#[test]
fn a_version_that_cannot_be_loaded_or_does_not_pass_changes_nothing() {
    for policy in POLICIES {
        let plugin = host()
            .plugin(version(1))
            .policy(policy)
            .self_test(|plugin| match asked(plugin) {
                Ok(number) if number < 10 => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .load()
            .unwrap();
        assert!(matches!(plugin.replace(b"no wasm".to_vec()), Err(Error::Load(_))));
        assert!(matches!(plugin.replace(version(10)), Err(Error::SelfTest(said)) if said == "Ok(10)"));
        assert!(matches!(plugin.replace(TRAPS.as_bytes().to_vec()), Err(Error::SelfTest(_))));
        assert_eq!(asked(&plugin), Ok(1));
        plugin.replace(version(9)).unwrap();
        assert_eq!(asked(&plugin), Ok(9));
    }
    let test = |_: &Plugin| Err("never good enough".into());
    let error = host().plugin(version(1)).self_test(test).load().unwrap_err().to_string();
    assert!(error.contains("never good enough"), "{error}");
}

#[test]
fn a_version_that_fails_its_first_calls_goes_back_by_itself() {
    for policy in POLICIES {
        let probation = Probation { calls: 5, failures: 2 };
        let plugin = host().plugin(version(1)).policy(policy).probation(probation).load().unwrap();
        plugin.replace(TRAPS.as_bytes().to_vec()).unwrap();
        assert!(asked(&plugin).is_err());
        assert!(asked(&plugin).is_err(), "the second failure is the last");
        assert_eq!(asked(&plugin), Ok(1), "{policy:?}");
        plugin.replace(version(2)).unwrap();
        (0..5).for_each(|_| assert_eq!(asked(&plugin), Ok(2)));
        assert!(!plugin.roll_back(), "its probation is over");
        plugin.replace(version(3)).unwrap();
        assert_eq!(asked(&plugin), Ok(3));
        assert!(plugin.roll_back(), "by hand");
        assert_eq!(asked(&plugin), Ok(2));
    }
}

#[test]
fn a_typed_function_follows_its_plugin() {
    let plugin = host().plugin(version(1)).load().unwrap();
    let asked = plugin.typed::<i32, i32>("version").unwrap();
    for number in 2..6 {
        plugin.replace(version(number)).unwrap();
        assert_eq!(asked.call(0).unwrap(), number);
        assert_eq!(asked.call(0).unwrap(), number);
    }
}

#[test]
fn calls_go_on_under_a_stream_of_replacements() {
    for policy in POLICIES {
        let plugin = host().plugin(version(0)).policy(policy).load().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut last = 0;
                        while !over.load(Relaxed) {
                            let now = asked(&plugin).unwrap();
                            assert!(now >= last, "{now} after {last}");
                            last = now;
                        }
                    })
                })
                .collect();
            for number in 1..20 {
                plugin.replace(version(number)).unwrap();
                assert_eq!(asked(&plugin), Ok(number));
            }
            over.store(true, Relaxed);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
        });
    }
}

#[test]
fn a_file_that_changes_replaces_its_plugin() {
    let folder = std::env::temp_dir().join(format!("sandbar-watch-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("plugin.wat");
    fs::write(&path, version(1)).unwrap();
    let plugin = host().plugin(path.as_path()).load().unwrap();
    let (tell, told) = mpsc::channel();
    let watch = plugin.watch(&path, move |replaced| tell.send(replaced.map_err(|error| error.to_string())).unwrap());
    let watch = watch.unwrap();
    let wait = Duration::from_secs(30);
    fs::write(&path, version(22)).unwrap();
    assert_eq!(told.recv_timeout(wait).unwrap(), Ok(()));
    assert_eq!(asked(&plugin), Ok(22));
    fs::write(&path, b"(module (func").unwrap();
    assert!(told.recv_timeout(wait).unwrap().is_err());
    assert_eq!(asked(&plugin), Ok(22), "the last that could be loaded");
    fs::write(&path, version(333)).unwrap();
    assert_eq!(told.recv_timeout(wait).unwrap(), Ok(()));
    assert_eq!(asked(&plugin), Ok(333));
    drop(watch);
    fs::remove_dir_all(&folder).unwrap();
}
