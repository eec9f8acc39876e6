package api

import (
	"context"
	"io"
	"net/http"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListImages lists golden images.
func (s *Server) ListImages(ctx context.Context, r ListImagesRequestObject) (ListImagesResponseObject, error) {
	images, err := s.Images.List(ctx)
	if err != nil {
		return nil, err
	}
	list := ImageList{Items: []Image{}}
	for _, g := range images {
		if r.Params.Name == "" || r.Params.Name == g.Name {
			list.Items = append(list.Items, imageOut(g))
		}
	}
	return ListImages200JSONResponse(list), nil
}

// GetCurrentImage gives an image's current version.
func (s *Server) GetCurrentImage(ctx context.Context, r GetCurrentImageRequestObject) (GetCurrentImageResponseObject, error) {
	image, err := s.image(ctx, r.Name)
	return GetCurrentImage200JSONResponse(image), err
}

// GetImage gives one version of an image.
func (s *Server) GetImage(ctx context.Context, r GetImageRequestObject) (GetImageResponseObject, error) {
	image, err := s.image(ctx, r.Name+"/"+r.Version)
	return GetImage200JSONResponse(image), err
}

func (s *Server) image(ctx context.Context, name string) (Image, error) {
	ref, err := fleet.ParseImageRef(name)
	if err != nil {
		return Image{}, err
	}
	g, err := s.Images.Get(ctx, ref)
	return imageOut(g), err
}

// DeleteImage deletes one version of an image.
func (s *Server) DeleteImage(ctx context.Context, r DeleteImageRequestObject) (DeleteImageResponseObject, error) {
	ref, err := fleet.ParseImageRef(r.Name + "/" + r.Version)
	if err != nil {
		return nil, err
	}
	once := onceOf(ctx)
	job, err := s.Images.Delete(ctx, ref, once.Key, once.Hash)
	if err != nil {
		return nil, err
	}
	return DeleteImage202JSONResponse{s.accepted(ctx, job)}, nil
}

// BuildImage starts the job that builds an image from a recipe bundle.
func (s *Server) BuildImage(ctx context.Context, r BuildImageRequestObject) (BuildImageResponseObject, error) {
	if err := wantType(ctx, "application/x-tar"); err != nil {
		return nil, err
	}
	body := http.MaxBytesReader(nil, io.NopCloser(r.Body), int64(bundleLimit))
	bundle, err := io.ReadAll(callOf(ctx).hashed(body))
	if err != nil {
		return nil, readFailed(err)
	}
	once := onceOf(ctx)
	job, err := s.Images.Build(ctx, bundle, once.Key, once.Hash)
	if err != nil {
		return nil, err
	}
	return BuildImage202JSONResponse{s.accepted(ctx, job)}, nil
}

// ImportImage takes in an image tarball.
func (s *Server) ImportImage(ctx context.Context, r ImportImageRequestObject) (ImportImageResponseObject, error) {
	if err := wantType(ctx, "application/octet-stream"); err != nil {
		return nil, err
	}
	ref, err := fleet.ParseImageRef(r.Params.Name + "/" + r.Params.Version)
	if err != nil {
		return nil, err // before gigabytes are read
	}
	path, err := s.upload(callOf(ctx).hashed(r.Body))
	if err != nil {
		return nil, err
	}
	once := onceOf(ctx)
	job, err := s.Images.Import(ctx, path, ref, r.Params.Description, once.Key, once.Hash)
	if err != nil || !owns(job, path) {
		s.discard(path)
	}
	if err != nil {
		return nil, err
	}
	return ImportImage202JSONResponse{s.accepted(ctx, job)}, nil
}

func wantType(ctx context.Context, wanted string) error {
	if got := callOf(ctx).request.Header.Get("Content-Type"); got != wanted {
		return fleet.Errorf(fleet.Invalid, "the body is %q, not %s", got, wanted).WithField("Content-Type").
			WithHint("send the header Content-Type: %s", wanted)
	}
	return nil
}

func imageOut(g fleet.GoldenImage) Image {
	return Image{
		Name: g.Name, Version: g.Version, Fingerprint: g.Fingerprint, Description: g.Description,
		Health: healthOut(g.Health), Hooks: orEmpty(g.Hooks), RecipeHash: g.RecipeHash,
		BaseFingerprint: g.BaseFingerprint, Size: int64(g.Size), Current: g.Current,
		Members: orEmpty(g.Members), Job: g.JobID, CreatedAt: g.CreatedAt,
	}
}

// orEmpty makes a list JSON's [] rather than null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
