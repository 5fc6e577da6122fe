def test_smoke(factories, services, client):
    user = factories.user()
    project = factories.project(owner=user)
    h = factories.headers(user)
    base = f"/mlflow/{project.organization.slug}/{project.slug}/api/2.0/mlflow"
    r = client.post(base+"/runs/create", json={"experiment_id":"0","start_time":"12"}, headers=h); print(r.json)
    rid = r.json["run"]["info"]["run_id"]
    r = client.post(base+"/runs/log-batch", json={"run_id":rid,"metrics":[{"key":"a","value":i/7,"timestamp":1,"step":i} for i in range(500)]+[{"key":"n","value":"NaN","timestamp":12.0}],"params":[{"key":"p","value":"1"}],"tags":[{"key":"t","value":"1"}]}, headers=h); print(r.json, r.status)
    r = client.get(base+"/runs/get", query_string={"run_id":rid}, headers=h); print(r.json)
    r = client.post(base+"/runs/search", json={"experiment_ids":["0"],"filter":"metrics.a > 3 and params.p='1' and tags.t like '1%' and tags.t ilike '1' and metrics.n != 4","order_by":["metrics.n","params.p desc","start_time"]}, headers=h); print(r.json)
    r = client.get(base+"/metrics/get-history", query_string={"run_id":rid,"metric_key":"a","max_results":3}, headers=h); print(r.json)
    r = client.get(base+"/nope", headers=h); print(r.status, r.json)
    r = client.post(base+"/runs/update", json={"run_id":rid,"status":"FINISHED","end_time":5}, headers=h); print(r.status, r.json)
    a = base.replace("/mlflow/o","/mlflow/o").removesuffix("/mlflow")+"-artifacts" if 0 else base.removesuffix("mlflow")+"mlflow-artifacts/artifacts"
    r = client.put(a+f"/0/{rid}/artifacts/x/y.txt", data=b"hello", headers=h); print(r.status, r.json)
    r = client.get(base+"/artifacts/list", query_string={"run_id":rid}, headers=h); print(r.status, r.json)
    r = client.get(base+"/artifacts/list", query_string={"run_id":rid,"path":"x/y.txt"}, headers=h); print(r.status, r.json)
    r = client.get(a+f"/0/{rid}/artifacts/x/y.txt", headers=h); print(r.status, r.data)
