import { fromMlflowHash } from "./mlflowLink";

test.each([
  ["#/experiments/1/runs/ab12", "/acme/churn/runs/ab12"],
  ["#/experiments/1/runs/ab12/artifacts/model", "/acme/churn/runs/ab12"],
  ["#/experiments/7", "/acme/churn/runs?experiment=7"],
  ["#/experiments/7/models/m-1", "/acme/churn/runs?experiment=7"],
  ["#/experiments?experimentId=7", "/acme/churn/runs?experiment=7"],
  ["#/experiments", "/acme/churn/runs"],
  ["#/compare-runs?runs=[]", "/acme/churn/runs"],
  ["#/models/risk%20eu/versions/3", "/acme/churn/models/risk%20eu"],
  ["#/models", "/acme/churn/models"],
  ["#/experiments/%E0%A4%A/runs/x", "/acme/churn/runs/x"],
  ["#/experiments/1/runs/..%2f..%2fevil", "/acme/churn/runs/..%2F..%2Fevil"],
])("MLflow's link %s leads to %s", (hash, address) => {
  expect(fromMlflowHash(hash, "acme", "churn")).toBe(address);
});

test.each(["", "#main", "#/elsewhere"])("%s is no link of MLflow's", (hash) => {
  expect(fromMlflowHash(hash, "acme", "churn")).toBeNull();
});
