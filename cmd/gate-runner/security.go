package main

import (
	"context"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/secretscan"
	"github.com/affineur/affineur/internal/supplychain"
)

func search(ctx context.Context, _ runner, order evidence.SecretsOrder, files map[string][]byte) (evidence.Result, error) {
	var texts []evidence.Text
	if order.Texts != "" {
		var err error
		if texts, err = evidence.DecodeTexts(files[order.Texts]); err != nil {
			return nil, err
		}
	}
	if order.Set != "" {
		texts = append(texts, evidence.Text{Field: order.SetField, Value: string(files[order.Set])})
	}
	result, err := secretscan.Search(ctx, order, texts)
	return &result, err
}

func verify(_ context.Context, _ runner, order evidence.SupplyOrder, files map[string][]byte) (evidence.Result, error) {
	result, err := supplychain.Examine(order, files)
	return &result, err
}
