package api

import (
	"bytes"
	"context"
	"time"
)

// GetHealth says whether the daemon can do its work: it answers, and so does its store.
func (s *Server) GetHealth(ctx context.Context, _ GetHealthRequestObject) (GetHealthResponseObject, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		return nil, err
	}
	return GetHealth200TextResponse("ok\n"), nil
}

// GetServer describes the daemon. An LXD that does not answer is part of the description.
func (s *Server) GetServer(ctx context.Context, _ GetServerRequestObject) (GetServerResponseObject, error) {
	info := ServerInfo{Version: s.Version, StartedAt: s.started, Project: s.Project}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	lxd, err := s.LXD(ctx)
	if err != nil {
		info.LxdError = err.Error()
		return GetServer200JSONResponse(info), nil //nolint:nilerr // it is in the answer
	}
	info.Lxd = &LXD{
		Version: lxd.Version, Clustered: lxd.Clustered, Member: lxd.Member, Kernel: lxd.Kernel, Address: lxd.Address,
	}
	return GetServer200JSONResponse(info), nil
}

// GetDocument gives the API's document.
func (s *Server) GetDocument(context.Context, GetDocumentRequestObject) (GetDocumentResponseObject, error) {
	return GetDocument200ApplicationvndOaiOpenapiResponse{Body: bytes.NewReader(document), ContentLength: int64(len(document))}, nil
}

// GetCA gives the internal authority's certificate.
func (s *Server) GetCA(ctx context.Context, _ GetCARequestObject) (GetCAResponseObject, error) {
	pem, err := s.CA(ctx)
	if err != nil {
		return nil, err
	}
	return GetCA200ApplicationxPemFileResponse{Body: bytes.NewReader(pem), ContentLength: int64(len(pem))}, nil
}

// GetDoctor gives what is wrong.
func (s *Server) GetDoctor(ctx context.Context, _ GetDoctorRequestObject) (GetDoctorResponseObject, error) {
	findings, err := s.Doctor(ctx)
	if err != nil {
		return nil, err
	}
	list := FindingList{Items: make([]Finding, len(findings))}
	for i, f := range findings {
		list.Items[i] = Finding{Check: f.Check, State: FindingState(f.State), Message: f.Message, Hint: f.Hint}
	}
	return GetDoctor200JSONResponse(list), nil
}
