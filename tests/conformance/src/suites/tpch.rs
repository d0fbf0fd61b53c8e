//! TPC-H.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use super::{Suite, declared, queries};
use crate::Fault;
use crate::governed::Policy;

const SCALE: f64 = 0.05;

const POLICIES: &[(&str, Policy)] = &[
    (
        "customer",
        Policy {
            rows: Some("c_nationkey <> 6 AND c_mktsegment NOT LIKE 'MACH%'"),
            masks: &[
                ("c_phone", "left(c_phone, 2)"),
                ("c_acctbal", "CASE WHEN c_acctbal > 5000 THEN 5000 ELSE c_acctbal END"),
            ],
        },
    ),
    (
        "orders",
        Policy {
            rows: Some("o_custkey IN (SELECT c_custkey FROM customer WHERE c_nationkey <> 6)"),
            masks: &[("o_clerk", "'somebody'")],
        },
    ),
    (
        "lineitem",
        Policy {
            rows: Some("l_shipmode <> 'AIR' OR l_quantity < 10"),
            masks: &[("l_comment", "NULL"), ("l_tax", "round(l_tax, 1)")],
        },
    ),
    (
        "part",
        Policy {
            rows: Some("CASE WHEN p_size > 45 THEN false ELSE true END"),
            masks: &[("p_retailprice", "NULL")],
        },
    ),
    (
        "supplier",
        Policy {
            rows: Some("EXISTS (SELECT 1 FROM nation WHERE n_nationkey = s_nationkey AND n_name <> 'KENYA')"),
            masks: &[("s_address", "md5(s_address)")],
        },
    ),
];

pub(super) fn suite() -> Result<Suite, Fault> {
    let tables = [
        ("nation", declared(NationArrow::new(NationGenerator::new(SCALE, 1, 1)))?),
        ("region", declared(RegionArrow::new(RegionGenerator::new(SCALE, 1, 1)))?),
        (
            "supplier",
            declared(SupplierArrow::new(SupplierGenerator::new(SCALE, 1, 1)))?,
        ),
        ("part", declared(PartArrow::new(PartGenerator::new(SCALE, 1, 1)))?),
        (
            "customer",
            declared(CustomerArrow::new(CustomerGenerator::new(SCALE, 1, 1)))?,
        ),
        (
            "partsupp",
            declared(PartSuppArrow::new(PartSuppGenerator::new(SCALE, 1, 1)))?,
        ),
        ("orders", declared(OrderArrow::new(OrderGenerator::new(SCALE, 1, 1)))?),
        (
            "lineitem",
            declared(LineItemArrow::new(LineItemGenerator::new(SCALE, 1, 1)))?,
        ),
    ];
    let tables = tables.map(|(name, table)| (name.to_string(), table)).into();
    Ok(Suite {
        name: "TPC-H",
        tables,
        queries: queries("tpch")?,
        policies: POLICIES,
    })
}
