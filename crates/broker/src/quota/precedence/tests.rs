use ottla_metadata::Record;
use ottla_metadata::quota::QuotaValue;

use super::*;

fn name(name: &str) -> Option<QuotaName> {
    match name {
        "-" => None,
        "*" => Some(QuotaName::Default),
        name => Some(QuotaName::Named(name.into())),
    }
}

/// An image with these produce quotas: user, client id (`-`: none, `*`: the default), bound.
fn image(quotas: &[(&str, &str, f64)]) -> Image {
    let mut image = Image::default();
    for (user, client_id, bound) in quotas {
        let record = Record::ClientQuota {
            entity: QuotaEntity { user: name(user), client_id: name(client_id), ip: None },
            key: QuotaKey::ProducerByteRate,
            value: Some(QuotaValue::new(*bound)),
        };
        image.replay(&record).expect("has an effect");
    }
    image
}

fn client(user: &str, id: &str) -> Client {
    Client { user: user.into(), id: Some(id.into()) }
}

#[test]
fn the_most_specific_quota_holds() {
    let mut quotas = [
        ("u", "c", 1.0),
        ("u", "*", 2.0),
        ("u", "-", 3.0),
        ("*", "c", 4.0),
        ("*", "*", 5.0),
        ("*", "-", 6.0),
        ("-", "c", 7.0),
        ("-", "*", 8.0),
    ]
    .to_vec();
    let (user, id): (Arc<str>, Arc<str>) = ("u".into(), "c".into());
    let both = || Bearer::UserClient(user.clone(), id.clone());
    let alone = || Bearer::User(user.clone());
    let of_id = || Bearer::Client(id.clone());
    let bearers = [both(), both(), alone(), both(), both(), alone(), of_id(), of_id()].into_iter();
    for (bearer, bound) in bearers.zip(1..) {
        let limit = of_client(&image(&quotas), QuotaKey::ProducerByteRate, &client("u", "c"));
        assert_eq!(limit, Some(Limit { bearer, bound: f64::from(bound) }));
        quotas.remove(0);
    }
    assert_eq!(of_client(&image(&[]), QuotaKey::ProducerByteRate, &client("u", "c")), None);
}

#[test]
fn other_names_and_other_keys_are_not_meant() {
    let image = image(&[("u", "c", 1.0), ("-", "d", 2.0)]);
    let of = |key, user, id| of_client(&image, key, &client(user, id)).map(|limit| limit.bound);
    assert_eq!(of(QuotaKey::ProducerByteRate, "u", "x"), None);
    assert_eq!(of(QuotaKey::ProducerByteRate, "v", "c"), None);
    assert_eq!(of(QuotaKey::ProducerByteRate, "v", "d"), Some(2.0));
    assert_eq!(of(QuotaKey::ConsumerByteRate, "u", "c"), None);
}

#[test]
fn who_has_no_client_id_has_no_quota_of_one() {
    let image = image(&[("-", "*", 1.0), ("*", "*", 2.0), ("*", "-", 3.0)]);
    let nameless = Client { user: "u".into(), id: None };
    for client in [nameless, client("u", "")] {
        let limit = of_client(&image, QuotaKey::ProducerByteRate, &client);
        assert_eq!(limit.map(|limit| limit.bound), Some(3.0));
    }
}

#[test]
fn an_address_has_its_own_quota_or_the_default() {
    let mut image = Image::default();
    for (ip, bound) in [("localhost", 1.0), ("*", 2.0)] {
        let entity = QuotaEntity { ip: name(ip), ..QuotaEntity::default() };
        let key = QuotaKey::ConnectionCreationRate;
        let value = Some(QuotaValue::new(bound));
        image.replay(&Record::ClientQuota { entity, key, value }).expect("has an effect");
    }
    let ip: IpAddr = "127.0.0.1".parse().expect("an address");
    let own = of_address(&image, ip, Some(&"localhost".into())).map(|limit| limit.bound);
    assert_eq!(own, Some(1.0));
    assert_eq!(of_address(&image, ip, None).map(|limit| limit.bound), Some(2.0));
}
