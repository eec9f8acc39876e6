package api

import "context"

// ListSettings gives the daemon's settings, and where each comes from.
func (s *Server) ListSettings(context.Context, ListSettingsRequestObject) (ListSettingsResponseObject, error) {
	settings := s.Settings.List()
	list := SettingList{File: s.Settings.File, Items: make([]Setting, len(settings))}
	for i, x := range settings {
		list.Items[i] = Setting{
			Name: x.Name, Value: x.Value, Default: x.Default, About: x.About, Hidden: x.Hidden,
			Origin: SettingOrigin(x.Origin.Source), From: x.Origin.Name,
		}
	}
	return ListSettings200JSONResponse(list), nil
}
