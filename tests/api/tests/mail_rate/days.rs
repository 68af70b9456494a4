//! Whole days of requests. They take long, so `make test-long` runs them.

use super::*;

#[tokio::test]
async fn a_thousand_changes_in_a_day_are_told_in_few_mails_each_within_an_hour_and_five_minutes_and_none_is_lost() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    let started_at = app.clock.now();
    let (mut made, mut told, mut sent) = (Vec::new(), 0, Vec::new());
    let mut next_timer = started_at + minutes(5);
    let mut latest = Duration::ZERO;
    // A change every 86 s for a day, and then silence.
    while told < 1_000 {
        if made.len() < 1_000 {
            thief.change().await;
            made.push(app.clock.now());
            app.deliver().await;
        }
        if app.clock.now() >= next_timer {
            app.release_held().await;
            next_timer += minutes(5);
        }
        let notices = thief.notices();
        for mail in &notices[sent.len()..] {
            let now = app.clock.now();
            sent.push(now);
            latest = latest.max(Duration::try_from(now.duration_since(made[told])).expect("later"));
            told += changes(mail);
        }
        app.advance(86);
        assert!(app.clock.now() < started_at + minutes(26 * 60), "{told} of the changes were told of");
    }
    assert_eq!(told, 1_000);
    assert!(most_within(&sent, minutes(60)) <= 4 && most_within(&sent, minutes(24 * 60)) <= 27, "{sent:?}");
    assert!(latest <= minutes(65) + Duration::from_secs(86), "{latest:?}");
    // The last mail says how many changes there were since the one before, and when the first of them was.
    let last = thief.notices().pop().expect("a notice");
    let first = made[1_000 - changes(&last)].strftime("%-d %B %Y, %H:%M UTC").to_string();
    let told = format!("was changed {} times, first on {first}.", changes(&last));
    assert!(changes(&last) > 1 && last.text.contains(&told) && last.html.contains(&told), "{}", last.text);
}

#[tokio::test]
async fn strangers_who_ask_for_links_all_day_cause_few_mails_and_the_owner_has_a_link_that_works_at_every_minute() {
    let app = App::start().await;
    let person = app.sign_up("ann").await;
    let mut sent = Vec::new();
    for minute in 0..24 * 60 {
        app.send(reset_request(&person.email).from(&format!("198.51.100.{}", minute % 250))).await;
        app.deliver().await;
        if app.reset_mails(&person.email) > sent.len() {
            sent.push(app.clock.now());
        }
        if minute % 10 == 0 {
            let newest = app.newest_reset_link(&person.email).expect("a link");
            assert_eq!(app.validate(&newest).await.status, 200, "minute {minute}");
        }
        app.advance(60);
    }
    assert_eq!((sent.len(), most_within(&sent, minutes(60))), (29, 5), "{sent:?}");
}

#[tokio::test]
async fn whoever_asks_for_a_link_and_ends_it_by_a_change_by_turns_causes_few_mails_and_a_disavowal_still_leads_to_one() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    let mut sent = Vec::new();
    for _ in 0..24 * 30 {
        app.send(reset_request(&thief.email)).await;
        app.deliver().await;
        if app.reset_mails(&thief.email) > sent.len() {
            sent.push(app.clock.now());
        }
        app.advance(60);
        thief.change().await;
        app.deliver().await;
        app.advance(60);
    }
    assert!(most_within(&sent, minutes(60)) <= 8 && sent.len() <= 32, "{}: {sent:?}", sent.len());
    // Eight at once and then one an hour: an owner who asks gets one of them.
    let gaps: BTreeSet<i64> = sent.windows(2).skip(7).map(|pair| pair[1].duration_since(pair[0]).as_mins()).collect();
    assert_eq!(gaps, BTreeSet::from([60]));
    // The thief's last request is dropped, the owner's "this wasn't me" is not.
    let before = app.reset_mails(&thief.email);
    let notice = thief.notices().pop().and_then(|mail| mail.disavowal_token()).expect("a link");
    assert_eq!(app.send(post("/api/password_reset/disavow/", &json!({ "token": notice }))).await.status, 200);
    app.deliver().await;
    assert_eq!(app.reset_mails(&thief.email), before + 1);
    let link = app.newest_reset_link(&thief.email).expect("a link");
    assert_eq!(app.confirm_reset(&link, PASSWORD).await.status, 200);
}
