package flow_test

// material is master data that tells what graz-mes calls a material.
func material(id, local, ref, from string) doc {
	data := doc{"material": ref, "identifiers": []any{doc{"system": "graz-mes", "id": local}}}
	if from != "" {
		data["valid_from"] = from
	} else {
		data["valid_from"] = "2026-01-01"
	}
	return cloud("erp", id, "material.changed", "2026-01-05T08:00:00+01:00", data)
}
