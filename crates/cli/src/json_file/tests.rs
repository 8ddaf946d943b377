use super::*;

fn complaint(text: &str) -> String {
    parse(text).expect_err("it is no JSON").message
}

#[test]
fn what_is_no_json_is_complained_about_in_the_words_of_kafkas_library() {
    let place = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
    assert_eq!(
        complaint("  rubbish\n"),
        format!(
            "Unrecognized token 'rubbish': was expecting (JSON String, Number, Array, Object or token \
             'null', 'true' or 'false')\n at [{place}; line: 1, column: 3]"
        )
    );
    assert_eq!(
        complaint("{\"version\":1,\n"),
        format!(
            "Unexpected end-of-input within/between Object entries\n at [{place}; line: 2, column: 1]"
        )
    );
    assert!(complaint("").starts_with("The input string shouldn't be empty"));
}

#[test]
fn values_of_another_kind_are_named_as_they_stand() {
    let value = parse(r#"{"a":[1,"x"]}"#).expect("JSON");
    let object = object(&value).expect("an object");
    let said = |result: Result<(), Failure>| result.expect_err("it is of another kind").message;
    assert_eq!(said(field(object, "b").map(drop)), "No such field exists: `b`");
    let items = array(field(object, "a").expect("it is there")).expect("an array");
    assert_eq!(integer(&items[0]), Ok(1));
    assert_eq!(said(integer(&items[1]).map(drop)), "Expected `Integer` value, received \"x\"");
    assert_eq!(said(string(&items[0]).map(drop)), "Expected `String` value, received 1");
    assert_eq!(said(super::object(&items[0]).map(drop)), "Expected JSON object, received 1");
}
