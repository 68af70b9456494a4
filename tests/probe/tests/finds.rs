//! The probe finds a leak that was put in on purpose, and no leak in its absence.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use doorward_probe::{Probe, Question, accounts, plot, statistics::Verdict};
use serde_json::{Value, json};

/// A server that answers registered names after `usual` plus `longer`, and all others after `usual`.
fn server(longer: Duration, says: fn(bool) -> Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let registered = Arc::new(Mutex::new(HashSet::new()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let registered = Arc::clone(&registered);
            thread::spawn(move || serve(stream, &registered, longer, says));
        }
    });
    url
}

fn serve(stream: TcpStream, registered: &Mutex<HashSet<String>>, longer: Duration, says: fn(bool) -> Value) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        (reader.read_line(&mut first).ok()? > 0).then_some(())?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).ok()?;
        let name = body["username"]
            .as_str()
            .or_else(|| body["email"].as_str()?.strip_prefix("success+")?.split('@').next())
            .unwrap_or_default()
            .to_owned();
        let (status, answer) = if first.contains("/register/") {
            registered.lock().ok()?.insert(name);
            (201, json!({}))
        } else {
            let known = registered.lock().ok()?.contains(&name);
            thread::sleep(Duration::from_millis(2) + if known { longer } else { Duration::ZERO });
            (200, says(known))
        };
        let answer = answer.to_string();
        write!(writer, "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).ok()?;
    }
}

#[test]
fn a_leak_put_in_on_purpose_is_found_and_none_where_there_is_none() {
    // Equal times can differ by chance: 400 pairs would be called a leak once in 3,000 questions, 800 once in two million. A busy machine adds tens of
    // milliseconds, which must not hide the leak.
    // Client and server sleep nearly all the time, so all four are asked at once, each of a server of its own.
    thread::scope(|scope| {
        for (longer, samples, verdict) in [(Duration::from_millis(50), 100, Verdict::Leak), (Duration::ZERO, 800, Verdict::NoLeakFound)] {
            let asked = [Question::Login, Question::Reset].map(|question| {
                scope.spawn(move || {
                    let mut probe = Probe::of(&server(longer, |_| json!({ "status": "OK" })));
                    let report = probe.ask(question, samples).expect("answers");
                    assert_eq!(report.known.len(), samples);
                    assert!(report.told_apart.is_none());
                    assert_eq!(report.comparison.verdict(), verdict, "{} {:?}", question.name(), report.comparison);
                    report
                })
            });
            scope.spawn(move || {
                let svg = plot::svg(&asked.map(|report| report.join().expect("a report")));
                assert_eq!(svg.matches("<polyline").count(), 4);
            });
        }
    });
}

#[test]
fn every_account_is_noted_before_it_is_asked_for_and_only_those_are_made() {
    let mut probe = Probe::of(&server(Duration::ZERO, |_| json!({ "status": "OK" })));
    let noted = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&noted);
    probe.on_account = Box::new(move |name| {
        seen.lock().expect("a list").push(name.to_owned());
        Ok(())
    });
    probe.ask(Question::Login, 10).expect("answers");
    assert_eq!(noted.lock().expect("a list").len(), accounts(10));

    let mut gone = Probe::of("http://127.0.0.1:1");
    let seen = Arc::clone(&noted);
    gone.on_account = Box::new(move |name| {
        seen.lock().expect("a list").push(name.to_owned());
        Ok(())
    });
    gone.ask(Question::Login, 10).err().expect("nothing is there");
    assert_eq!(noted.lock().expect("a list").len(), accounts(10) + 1, "whether it was made is unknown, so it is noted");
    // One that cannot be noted is not made.
    probe.on_account = Box::new(|_| Err("no room".to_owned()));
    assert_eq!(probe.ask(Question::Login, 10).err(), Some("no room".to_owned()));
}

#[test]
fn answers_that_differ_are_told_whatever_their_times() {
    let mut probe = Probe::of(&server(Duration::ZERO, |known| json!({ "known": known })));
    assert!(probe.ask(Question::Login, 10).expect("answers").told_apart.is_some());
}

#[test]
fn a_deployment_that_is_not_there_says_nothing() {
    assert!(Probe::of("http://127.0.0.1:1").ask(Question::Login, 10).is_err());
}
