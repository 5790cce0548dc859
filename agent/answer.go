package agent

import (
	"encoding/json"
	"net/http"
)

// What another director may send: a few names, or a whole configuration or report.
const (
	smallBody = 1 << 20
	largeBody = 64 << 20
)

// read decodes what another director sent, or answers that it cannot.
func read(w http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// answer sends v to another director.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}

// refuse tells another director why it is not done.
func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
}
