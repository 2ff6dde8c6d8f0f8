//! Odd file names are sent as they are and cleaned by the reader; saving never fails for a name.

use std::fs;

use postfach_tests::Deployment;
use postfach_tests::person::text;

#[test]
fn odd_names_arrive_and_are_saved_under_clean_ones() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let longest = format!("{}.txt", "ä".repeat(125));
    let names = [
        "bell\u{7}.txt",
        "rtl\u{202e}fdp.exe",
        "CON",
        "...",
        "a\\b.txt",
        "-rf",
        "line\nbreak.txt",
        " spaces ",
        longest.as_str(),
    ];
    let folder = amt.folder().join("odd");
    fs::create_dir_all(&folder).unwrap();
    let mut words: Vec<String> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let path = folder.join(name);
        fs::write(&path, format!("content {i}")).unwrap();
        words.extend(["--attach".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    let twin = amt.folder().join("twin");
    fs::create_dir_all(&twin).unwrap();
    fs::write(twin.join("CON"), "the second of that name").unwrap();
    words.extend(["--attach".to_owned(), twin.join("CON").to_str().unwrap().to_owned()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let id = text(&amt.send(&citizen.address(), "Namen", "Text", &words)["message_id"]);

    citizen.postfach(&["sync"]).ok();
    let shown = citizen.postfach(&["read", &id]).ok();
    assert!(!shown.talk().contains(['\u{7}', '\u{202e}']), "{}", shown.talk());
    let out = citizen.folder().join("out");
    citizen.postfach(&["attachment", "save", &id, "-o", out.to_str().unwrap()]).ok();
    let mut contents = Vec::new();
    for entry in fs::read_dir(&out).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(!name.contains(['\u{7}', '\u{202e}', '\n', '/', '\\']) && name != "CON", "{name:?}");
        contents.push(fs::read_to_string(entry.path()).unwrap());
    }
    assert_eq!(contents.len(), names.len() + 1);
    assert!(contents.contains(&"the second of that name".to_owned()));
}
