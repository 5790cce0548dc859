package agent

import "github.com/quorate/quorate/api"

// asFormer has a status tell no more than one knows that is no member any more: that, and what its own routers do. Who else
// answers, who owns what by the log and that there is no quorum here follow from that, and are nothing to look at.
func asFormer(st *api.Status, removed error) {
	st.Former = true
	st.Warnings = append(st.Warnings, removed.Error())
	for i := range st.Groups {
		g := &st.Groups[i]
		g.Order, g.Named, g.Moving = []string{}, "", ""
		if g.State == "active" {
			g.Owner = st.Name
			continue
		}
		g.Owner, g.Reason = "", "the members know: "+st.Name+" is none any more"
	}
}
